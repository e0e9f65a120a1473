"""Candidates for mentions, beside three loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.joint import candidate_spans


def rows_of(spans):
    columns = (spans.document, spans.sentence, spans.word_start, spans.word_end)
    return torch.stack((*columns, spans.start, spans.end), 1).tolist()


@given(
    st.lists(st.integers(0, 9), max_size=6),
    st.integers(1, 7),
    st.randoms(use_true_random=False),
)
def test_candidates_by_sentence_size_and_start(sentences, max_words, rng):
    offset = [1]
    for _ in range(sum(sentences)):
        offset.append(offset[-1] + rng.randint(1, 3))
    expected, first = [], 0
    for sentence, words in enumerate(sentences):
        for size in range(1, max_words + 1):
            for start in range(first, first + words - size + 1):
                end = start + size
                expected.append([7, sentence, start, end, offset[start], offset[end]])
        first += words
    lengths = torch.tensor(sentences, dtype=torch.long)
    found = candidate_spans(lengths, torch.tensor(offset), max_words, document=7)
    assert rows_of(found) == expected
    assert found.sizes.tolist() == [row[3] - row[2] for row in expected]
    assert len(found) == len(expected)


def test_the_count_of_a_usual_document():
    found = candidate_spans(torch.full((10,), 25), torch.arange(251), 10)
    assert len(found) == 2050
    some = torch.tensor([2049, 0])
    assert rows_of(found.of(some)) == [rows_of(found)[2049], rows_of(found)[0]]


def test_offsets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="token_offset has 5 rows for 5 words"):
        candidate_spans(torch.tensor([2, 3]), torch.arange(5), 4)
