"""Isotonic calibration against slow ways to the same curve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.calibration import IsotonicCalibration, calibration_from_dict, fit
from docre.calibration.isotonic import pool_violators


def minimax(values, weights):
    """The fit as its definition has it: the largest of smallest means around each place."""

    def mean(i, j):
        return np.average(values[i : j + 1], weights=weights[i : j + 1])

    n = len(values)
    return np.array(
        [max(min(mean(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]
    )


def fitted(values, weights):
    starts, means = pool_violators(values, weights)
    return np.repeat(means, np.diff(np.append(starts, len(values))))


points = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 5)), min_size=1, max_size=9
)


@given(points)
@settings(max_examples=60)
def test_pooling_is_the_best_fit(made):
    values, weights = (np.array(column, dtype=float) for column in zip(*made, strict=True))
    assert np.allclose(fitted(values, weights), minimax(values, weights), atol=1e-12)


def test_a_long_way_to_pool():
    """Each pass makes new violators; the fit of a falling line is its mean."""
    values = np.linspace(1, 0, 2001)
    assert np.allclose(fitted(values, np.ones(2001)), 0.5)
    saw = np.concatenate([np.array([0.6, 0.4, 0.5]) - k / 1000 for k in range(300)])
    assert np.allclose(fitted(saw, np.ones(900)), minimax_of_one_pool(saw))


def minimax_of_one_pool(values):
    """Loop over stacked pools, as textbooks have it."""
    pools = []
    for value in values:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])


def test_many_cells():
    random = np.random.default_rng(0)
    margins = random.normal(size=3000).round(2)
    correct = random.random(3000) < 1 / (1 + np.exp(-3 * margins))
    curve = fit("isotonic", margins, correct)
    order = np.argsort(margins, kind="stable")
    once, first, count = np.unique(margins[order], return_index=True, return_counts=True)
    shares = np.add.reduceat(correct[order].astype(float), first) / count
    pooled = minimax_of_one_pool(np.repeat(shares, count))[first]
    assert np.allclose(curve.probability(once), np.clip(pooled, 1e-3, 1 - 1e-3))
    # compressed or not, it is the same curve
    again = fit("isotonic", once, shares, count)
    assert np.allclose(again.probability(once), curve.probability(once))


def test_between_and_beyond_the_knots():
    curve = fit("isotonic", [0, 0, 1, 1, 3, 3], [0, 0, 1, 0, 1, 1])
    assert curve.probability([0, 1, 2, 3]).tolist() == [1e-3, 0.5, 0.75, 1 - 1e-3]
    far = curve.probability([-np.inf, -1e9, 1e9, np.inf])
    assert far.tolist() == [1e-3, 1e-3, 1 - 1e-3, 1 - 1e-3]
    with pytest.raises(ValueError, match="not a number"):
        curve.probability([np.nan])


@given(
    st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=2, max_size=60).filter(
        lambda made: len({right for _, right in made}) == 2
    )
)
@settings(max_examples=40)
def test_never_falls(made):
    margins, correct = zip(*made, strict=True)
    curve = fit("isotonic", margins, correct)
    said = curve.probability(np.linspace(-40, 40, 500))
    assert (np.diff(said) >= 0).all()
    assert said.min() > 0
    assert said.max() < 1
    same = calibration_from_dict(curve.to_dict())
    assert np.array_equal(same.probability(margins), curve.probability(margins))


@pytest.mark.parametrize(
    ("margins", "values", "said"),
    [
        ((), (), "as many"),
        ((0.0,), (0.1, 0.2), "as many"),
        ((0.0, 0.0), (0.1, 0.2), "rise"),
        ((0.0, np.inf), (0.1, 0.2), "finite"),
        ((0.0, 1.0), (0.3, 0.2), "not fall"),
        ((0.0, 1.0), (0.3, 1.2), "not fall"),
        ((0.0, 1.0), (0.3, np.nan), "not fall"),
    ],
)
def test_what_is_no_curve(margins, values, said):
    with pytest.raises(ValueError, match=said):
        IsotonicCalibration(margins, values)
