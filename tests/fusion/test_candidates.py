"""The best columns of every pair, against a loop over plain numbers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.decoding import Decoder, ThresholdDecoder, ZeroDecoder
from docre.fusion.candidates import CandidateDecoder

NAN = float("nan")
VALUES = st.sampled_from([-1e4, -1.0, 0.0, 0.5, 1.0, 2.0, 1e4, NAN])


def slow(row, top_k, zero=False):
    """Relation and margin of each candidate of a pair, written from the definition."""
    if math.isnan(row[0]) and not zero:
        return []
    values = [-math.inf if math.isnan(value) else value for value in row]
    largest = sorted(range(len(row)), key=lambda column: (-values[column], column))[:top_k]
    base = row[0] if 0 in largest else values[largest[-1]] - 1
    base = 0.0 if zero else base
    return [
        (column - 1, values[column] - base)
        for column in sorted(largest)
        if column and not math.isnan(row[column])
    ]


@given(
    rows=st.integers(1, 6).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1)
    ),
    top_k=st.integers(1, 7),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
    zero=st.booleans(),
)
def test_equal_to_the_definition(rows, top_k, dtype, zero):
    logits = torch.tensor(rows, dtype=dtype)
    decoder = ZeroDecoder() if zero else ThresholdDecoder(2)
    found = CandidateDecoder(top_k, decoder).decode(logits)
    want = [
        (pair, relation, margin)
        for pair, row in enumerate(logits.double().tolist())
        for relation, margin in slow(row, top_k, zero)
    ]
    assert list(zip(found.pair.tolist(), found.relation.tolist(), strict=True)) == [
        (pair, relation) for pair, relation, _ in want
    ]
    assert found.margin.tolist() == pytest.approx([margin for *_, margin in want])
    assert found.margin.dtype in (torch.float32, torch.float64)


def test_worked_example():
    logits = torch.tensor([[0.5, 1.0, -0.3, 2.0, 0.25, -4.0], [-9.0, 3.0, 1.0, 2.0, 5.0, 0.0]])
    found = CandidateDecoder(4).decode(logits)
    assert found.pair.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.relation.tolist() == [0, 2, 3, 0, 1, 2, 3]
    assert found.margin.tolist() == [0.5, 1.5, -0.25, 3.0, 1.0, 2.0, 5.0]


def test_equal_columns_are_no_more_than_asked_for():
    found = CandidateDecoder(4).decode(torch.zeros(2, 97))
    assert found.relation.tolist() == [0, 1, 2] * 2  # the threshold has the fourth place
    assert found.margin.tolist() == [0.0] * 6


def test_no_pairs():
    assert len(CandidateDecoder(4).decode(torch.zeros(0, 97))) == 0


def test_top_k_is_positive():
    with pytest.raises(ValueError, match="top_k must be at least 1, not 0"):
        CandidateDecoder(0)


def test_column_0_of_a_run_that_counts_from_0():
    """It is a class among the others: it takes a place, and nothing is counted from it."""
    logits = torch.tensor([[7.0, 1.0, -0.3, 2.0, 0.25, -4.0], [-9.0, 3.0, 1.0, 2.0, 5.0, 0.5]])
    found = CandidateDecoder(4, ZeroDecoder(2)).decode(logits)
    assert found.pair.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.margin.tolist() == [1.0, 2.0, 0.25, 3.0, 1.0, 2.0, 5.0]
    predicted = ZeroDecoder(4).mask(logits)
    assert (CandidateDecoder(4, ZeroDecoder()).mask(logits) | ~predicted).all()


def test_a_decoder_of_ones_own():
    class Half(Decoder):
        def mask(self, logits):
            return logits[:, 1:] > 0.5

        def threshold(self, logits):
            return logits.new_full((len(logits),), 0.5)

    found = CandidateDecoder(2, Half()).decode(torch.tensor([[0.0, 3.0, 1.0, -2.0]]))
    assert found.margin.tolist() == [2.5, 0.5]
