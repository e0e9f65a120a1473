"""Pairs of mentions and gaps, beside loops over the definitions."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.joint import Spans, all_mention_pairs, gaps_between

SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.integers(0, 3)), min_size=1)


def make(rows):
    """Spans of words that have two tokens each, behind one special token."""
    starts, sizes, sentences = torch.tensor(rows).unbind(1)
    ends = starts + sizes
    return Spans(torch.zeros_like(starts), sentences, starts, ends, 1 + 2 * starts, 1 + 2 * ends)


def between(one, other):
    """What lies between two spans (start, size, sentence), in words and without cleverness."""
    (first, first_size, _), (second, _, _) = sorted((one, other), key=lambda row: row[0])
    tokens = [
        token
        for token in range(1, 60)
        if all((token - 1) // 2 not in range(s, s + n) for s, n, _ in (one, other))
        and 1 + 2 * (first + first_size) <= token < 1 + 2 * second
    ]
    distance = max(0, second - (first + first_size - 1))
    return tokens, distance, abs(one[2] - other[2])


@given(SPANS)
def test_gaps(rows):
    spans = make(rows)
    first, second = torch.cartesian_prod(*[torch.arange(len(rows))] * 2).reshape(-1, 2).unbind(1)
    gaps = gaps_between(spans.of(first), spans.of(second))
    for row, (i, j) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        tokens, distance, sentences = between(rows[i], rows[j])
        start, end = int(gaps.start[row]), int(gaps.end[row])
        assert list(range(start, end)) == tokens
        assert tokens or (start, end) == (0, 0)
        assert int(gaps.token_distance[row]) == distance
        assert int(gaps.sentence_distance[row]) == sentences


@given(SPANS, st.data())
def test_all_mention_pairs(rows, data):
    spans = make(rows)
    mention = st.integers(0, len(rows) - 1)
    entities = data.draw(st.lists(st.lists(mention, min_size=1, max_size=4), min_size=1))
    entity = st.integers(0, len(entities) - 1)
    pairs = data.draw(st.lists(st.tuples(entity, entity), max_size=8))
    offset = [0]
    for members in entities:
        offset.append(offset[-1] + len(members))
    head, tail = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).unbind(1)
    member = torch.tensor([m for members in entities for m in members])
    assert [b - a for a, b in pairwise(offset)] == [len(members) for members in entities]
    found = all_mention_pairs(head, tail, member, torch.tensor(offset), spans)
    expected = [
        (i, j, row) for row, (h, t) in enumerate(pairs) for i in entities[h] for j in entities[t]
    ]
    assert torch.stack((found.head, found.tail, found.pair), 1).tolist() == [
        list(row) for row in expected
    ]
    direct = gaps_between(spans.of(found.head), spans.of(found.tail))
    for name in ("document", "start", "end", "token_distance", "sentence_distance"):
        assert torch.equal(getattr(found.gaps, name)[found.gap], getattr(direct, name))
    assert len(found.gaps.start) == len({frozenset(row[:2]) for row in expected})
    longest = int((direct.end - direct.start).max()) if expected else 0
    assert found.gaps.longest == longest
