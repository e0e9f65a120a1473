"""Runs that are bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.joint.chunks import chunks


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20))
def test_runs_are_as_long_as_they_can_be(sizes, budget):
    runs = [sizes[part] for part in chunks(torch.tensor(sizes, dtype=torch.long), budget)]
    assert [size for run in runs for size in run] == sizes
    assert len(runs) == 1 or all(runs)
    assert all(sum(run) <= budget or len(run) == 1 for run in runs)
    for run, following in pairwise(runs):
        assert sum(run) + following[0] > budget


def test_of_nothing_there_is_one_run():
    assert list(chunks(torch.zeros(0, dtype=torch.long), 5)) == [slice(0, 0)]


@pytest.mark.parametrize("budget", [0, -3])
def test_a_budget_is_positive(budget):
    with pytest.raises(ValueError, match=f"budget of {budget}"):
        list(chunks(torch.ones(3, dtype=torch.long), budget))
