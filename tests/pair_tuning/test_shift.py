"""The best shift, against trying all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.pair_tuning.shift import best_shift

MARGINS = st.sampled_from([-2.0, -0.5, -0.25, 0.0, 0.5, 1.0, 3.0, -np.inf, np.nan])


def counts(margins, gold, shift):
    above = margins > shift
    return int(above.sum()), int((above & gold).sum())


def f1(margins, gold, total, shift):
    predicted, correct = counts(margins, gold, shift)
    return 2 * correct / max(predicted + total, 1)


@given(
    triples=st.lists(st.tuples(MARGINS, st.booleans()), max_size=12), unreachable=st.integers(0, 2)
)
def test_none_is_better_and_none_as_good_is_nearer(triples, unreachable):
    margins = np.array([margin for margin, _ in triples], np.float32)
    gold = np.array([is_gold for _, is_gold in triples], bool)
    total = int(gold.sum()) + unreachable
    found = best_shift(margins, gold, total)
    assert (found.before.predicted, found.before.correct) == counts(margins, gold, 0.0)
    assert (found.after.predicted, found.after.correct) == counts(margins, gold, found.shift)
    assert found.before.gold == found.after.gold == total
    tried = [value + 1e-3 for value in (-4, *margins[np.isfinite(margins)].tolist(), 0.0, 4)]
    best = max(f1(margins, gold, total, shift) for shift in [*tried, 0.0])
    assert found.after.f1 == pytest.approx(best)
    if found.before.f1 == pytest.approx(best):
        assert found.shift == 0.0


def test_it_lies_between_what_is_taken_and_what_is_not():
    margins = np.array([2.0, -1.0, -2.0, -3.0], np.float32)
    found = best_shift(margins, np.array([True, True, False, False]), 2)
    assert found.shift == -1.5
    assert (found.before.f1, found.after.f1) == (pytest.approx(2 / 3), 1.0)
    everything = best_shift(margins, np.ones(4, bool), 4)
    assert everything.shift == -3.5
    nothing = best_shift(margins, np.zeros(4, bool), 1)
    assert nothing.shift == 0.0
