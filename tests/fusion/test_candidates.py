"""The best columns of every pair, against a loop over plain numbers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.fusion.candidates import CandidateDecoder

NAN = float("nan")
VALUES = st.sampled_from([-1e4, -1.0, 0.0, 0.5, 1.0, 2.0, 1e4, NAN])


def slow(row, top_k):
    """Relation and margin of each candidate of a pair, written from the definition."""
    if math.isnan(row[0]):
        return []
    values = [-math.inf if math.isnan(value) else value for value in row]
    largest = sorted(range(len(row)), key=lambda column: (-values[column], column))[:top_k]
    base = row[0] if 0 in largest else values[largest[-1]] - 1
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
)
def test_equal_to_the_definition(rows, top_k, dtype):
    logits = torch.tensor(rows, dtype=dtype)
    found = CandidateDecoder(top_k).decode(logits)
    want = [
        (pair, relation, margin)
        for pair, row in enumerate(logits.double().tolist())
        for relation, margin in slow(row, top_k)
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
