"""Training samples beside loops over all candidates, and draws that do not depend on the place."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.joint.sampling import JointSampler, NegativeCounts
from tests.joint.scenes import array, truth

ROOT = Path(__file__).resolve().parents[2]
ALL = NegativeCounts(spans=10**6, coreference=10**6, relations=10**6)
NONE = NegativeCounts(spans=0, coreference=0, relations=0)


@st.composite
def truths(draw):
    """Nested, crossing, touching and repeated mentions, longer ones than a candidate, and none."""
    sentences = draw(st.lists(st.integers(0, 7), max_size=4))
    borders = [(sum(sentences[:k]), sum(sentences[: k + 1])) for k in range(len(sentences))]
    spans = [(a, b) for low, high in borders for a in range(low, high) for b in range(a + 1, high)]
    mentions = st.lists(st.sampled_from(spans), min_size=1, max_size=3) if spans else st.nothing()
    entities = draw(st.lists(mentions, max_size=4)) if spans else []
    labels = []
    if entities:
        ends = st.integers(0, len(entities) - 1)
        labels = draw(st.lists(st.tuples(ends, ends, st.integers(0, 2)), max_size=6))
    return truth(sentences, entities, labels, seed=draw(st.integers(0, 9)))


def columns(sample, *names):
    return torch.stack([getattr(sample, name) for name in names], 1).tolist()


def rows_of(spans):
    return columns(spans, "sentence", "word_start", "word_end", "start", "end")


def negative_spans(one, max_words):
    """What can be drawn, by loops."""
    gold = list(zip(one.mention_start.tolist(), one.mention_end.tolist(), strict=True))
    inside, others, first = [], [], 0
    for words in one.sentence_words.tolist():
        for size in range(1, max_words + 1):
            for start in range(first, first + words - size + 1):
                span = (start, start + size)
                if span not in gold:
                    within = any(a <= span[0] and span[1] <= b for a, b in gold)
                    (inside if within else others).append(span)
        first += words
    return gold, inside, others


@given(truths(), st.integers(1, 6))
def test_all_that_can_be_drawn(one, max_words):
    sample = JointSampler(one, max_words).draw(replace(ALL, inside_share=1.0), 0, 0)
    gold, inside, others = negative_spans(one, max_words)
    borders = one.sentence_words.cumsum().tolist()
    assert rows_of(sample.spans) == [
        [
            next(k for k, border in enumerate(borders) if a < border),
            a,
            b,
            one.token_offset[a],
            one.token_offset[b],
        ]
        for a, b in gold + inside + others
    ]
    assert sample.mention_target.tolist() == [1.0] * len(gold) + [0.0] * (len(inside + others))
    assert not sample.spans.document.any()

    entity = one.mention_entity.tolist()
    first = [gold.index(span) for span in gold]
    ordered = [(i, j) for i in range(len(gold)) for j in range(len(gold)) if i != j]
    together = [(i, j) for i, j in ordered if entity[i] == entity[j]]
    apart = [(i, j) for i, j in ordered if entity[i] != entity[j]]
    assert columns(sample, "first", "second", "edit_distance") == [
        [first[i], first[j], one.edit_distance[i, j]] for i, j in together + apart
    ]
    assert sample.coreference_target.tolist() == [1.0] * len(together) + [0.0] * len(apart)
    assert sample.member.tolist() == first
    assert sample.entity_offset.diff().tolist() == [
        entity.count(e) for e in range(len(one.entity_type))
    ]
    assert sample.entity_type.tolist() == one.entity_type.tolist()

    holds = {}
    for head, tail, relation in zip(
        one.label_head.tolist(), one.label_tail.tolist(), one.label_relation.tolist(), strict=True
    ):
        holds.setdefault((head, tail), set()).add(relation)
    every = range(len(one.entity_type))
    free = [(h, t) for h in every for t in every if h != t and (h, t) not in holds]
    assert columns(sample, "pair_head", "pair_tail") == [[*pair] for pair in [*holds, *free]]
    assert sample.relation_target(3).tolist() == [
        [float(r in holds.get(pair, ())) for r in range(3)] for pair in [*holds, *free]
    ]
    assert len(sample.label_pair) == sum(map(len, holds.values()))


counts = st.builds(
    NegativeCounts, st.integers(0, 40), st.floats(0, 1), st.integers(0, 20), st.integers(0, 8)
)


@given(truths(), counts, st.integers(0, 2**64), st.integers(0, 9))
def test_a_draw_is_a_part_of_it_in_the_same_order(one, asked, seed, epoch):
    sampler = JointSampler(one, 4)
    whole, sample = sampler.draw(ALL, 0, 0), sampler.draw(asked, seed, epoch)
    gold, inside, others = map(len, negative_spans(one, 4))
    from_inside = min(inside, int(asked.spans * asked.inside_share))
    from_others = min(others, asked.spans - from_inside)
    assert len(sample.spans) == gold + from_inside + from_others
    ends = (gold, gold + from_inside)
    groups = np.split(array(rows_of(sample.spans)).reshape(-1, 5), ends)
    available = np.split(array(rows_of(whole.spans)).reshape(-1, 5), (gold, gold + inside))
    for part, all_of_it in zip(groups, available, strict=True):
        assert_in_order(part.tolist(), all_of_it.tolist())
    for names, target, most in (
        (("first", "second", "edit_distance"), "coreference_target", asked.coreference),
        (("pair_head", "pair_tail"), None, asked.relations),
    ):
        found, everything = columns(sample, *names), columns(whole, *names)
        if target:
            true = int(getattr(whole, target).sum())
            assert int(getattr(sample, target).sum()) == true
        else:
            true = len(set(whole.label_pair.tolist()))
        assert found[:true] == everything[:true]
        assert len(found) == true + min(most, len(everything) - true)
        assert_in_order(found[true:], everything[true:])


def assert_in_order(part, whole):
    left = iter(whole)
    assert all(row in left for row in part)


def usual():
    entities = [[(0, 3), (30, 31)], [(5, 17)], [(40, 44), (45, 46)], [(70, 72)]]
    return truth([25] * 4, entities, [(0, 1, 2), (3, 0, 1), (0, 1, 0)])


def test_counts_by_default():
    sample = JointSampler(usual()).draw(NegativeCounts(), 1, 2)
    assert len(sample.spans) == 6 + 200
    assert int(sample.mention_target.sum()) == 6
    inside = JointSampler(usual()).draw(NegativeCounts(400, 1.0), 1, 2)
    assert len(inside.spans) == 6 + 400


def test_a_long_mention_is_kept():
    sample = JointSampler(usual(), max_words=10).draw(NONE, 0, 0)
    assert [5, 17] in columns(sample.spans, "word_start", "word_end")
    assert int(sample.spans.sizes.max()) == 12


def digest(samples):
    found = hashlib.sha256()
    for sample in samples:
        for part in (sample.spans, sample):
            for field in fields(part):
                value = getattr(part, field.name)
                if isinstance(value, torch.Tensor):
                    found.update(value.numpy().tobytes())
    return found.hexdigest()


def drawn(order):
    """Samples of several documents, drawn in some order, by document."""
    samplers = [JointSampler(replace(usual(), document_id=name)) for name in ("a", "Ж", "\ud800")]
    made = {k: samplers[k].draw(NegativeCounts(20, 0.5, 5, 3), 7, 3) for k in order}
    return digest(made[k] for k in sorted(made))


def test_the_same_in_any_order_and_process():
    expected = drawn([0, 1, 2])
    assert drawn([2, 0, 1, 0]) == expected
    code = "from tests.joint.test_sampling import drawn; print(drawn([1, 2, 0]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.strip() == expected


def test_another_seed_epoch_or_document_draws_anew():
    few = NegativeCounts(20, 0.5, 5, 3)
    sampler = JointSampler(usual())
    other = JointSampler(replace(usual(), document_id="another"))
    found = {digest([sampler.draw(few, seed, epoch)]) for seed in range(3) for epoch in range(4)}
    assert len(found | {digest([other.draw(few, 0, 0)])}) == 13


def test_all_are_equally_likely():
    """Each of 10 inside, 20 of 30 others and so on: the counts of a binomial distribution."""
    one = truth([12, 3], [[(0, 4), (13, 14)], [(5, 7)], [(9, 10)]])
    sampler, asked = JointSampler(one, 3), NegativeCounts(10, 0.5, 4, 2)
    spans, pairs, relations, draws = Counter(), Counter(), Counter(), 2000
    for epoch in range(draws):
        sample = sampler.draw(asked, 5, epoch)
        spans.update(map(tuple, columns(sample.spans, "word_start", "word_end")[4:]))
        pairs.update(map(tuple, columns(sample, "first", "second")[2:]))
        relations.update(map(tuple, columns(sample, "pair_head", "pair_tail")))
    _, inside, others = negative_spans(one, 3)
    groups = (
        ([spans[span] for span in inside], 5),
        ([spans[span] for span in others], 5),
        (list(pairs.values()), 4),
        (list(relations.values()), 2),
    )
    assert [len(group) for group, _ in groups] == [len(inside), len(others), 10, 6]
    for group, count in groups:
        share = count / len(group)
        deviation = (draws * share * (1 - share)) ** 0.5
        assert all(abs(times - draws * share) < 5 * deviation for times in group)


def test_a_sample_can_be_changed_without_harm():
    sampler = JointSampler(usual())
    before = digest([sampler.draw(ALL, 0, 0)])
    sample = sampler.draw(ALL, 0, 0)
    for part in (sample.spans, sample):
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, torch.Tensor):
                value.fill_(9)
    assert digest([sampler.draw(ALL, 0, 0)]) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_offset": np.arange(5)}, "token_offset has 5 rows for 100 words, plus one"),
        ({"mention_end": array([3, 31, 17, 44, 46, 101])}, "outside of the 100 words"),
        ({"mention_start": array([3, 30, 5, 40, 45, 70])}, "a mention is empty"),
        ({"mention_entity": array([0, 1, 0, 2, 2, 3])}, "in their order"),
        ({"mention_entity": array([0, 0, 1, 1, 1, 3])}, "through all entities"),
        ({"mention_entity": array([0, 0, 1, 2, 3, 4])}, "through all entities"),
        ({"edit_distance": np.zeros((5, 6))}, r"edit_distance is \[5, 6\] for 6 mentions"),
        ({"label_tail": array([1, 4, 1])}, "a label is about none of the 4 entities"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        replace(usual(), **changes)
    assert "'a document'" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spans": -1}, "spans must not be negative, not -1"),
        ({"coreference": -2}, "coreference must"),
        ({"relations": -1}, "relations must"),
        ({"inside_share": 1.5}, "inside_share must be from 0 to 1, not 1.5"),
    ],
)
def test_counts_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        NegativeCounts(**changes)
