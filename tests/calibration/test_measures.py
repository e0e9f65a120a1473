"""Measures of probabilities against loops, and that calibration makes them better elsewhere."""

import math

import numpy as np
import pytest

from docre.calibration import calibration_error, fit, measure
from docre.calibration.judged import Fold, Judged
from docre.calibration.measures import reliability
from docre.calibration.report import cross_fit, fit_fold, reliability_plot, table_of
from docre.errors import DocreError


def drawn(seed, count=2000):
    """An overconfident model: margins three times what they should be, and shifted."""
    random = np.random.default_rng(seed)
    margins = random.normal(-2, 4, size=count)
    return margins, (random.random(count) < 1 / (1 + np.exp(-margins / 3 + 0.5))).astype(float)


def fold(seed):
    margins, correct = drawn(seed)
    ones, shown = np.ones_like(margins), margins > 0
    return Fold(Judged(margins, correct, ones), Judged(margins[shown], correct[shown], ones[shown]))


def test_against_loops():
    random = np.random.default_rng(3)
    said = np.append(random.random(500), [0.0, 1.0, 0.1])
    correct = (random.random(503) < 0.4).astype(float)
    ece = 0.0
    for k in range(10):
        inside = [i for i, p in enumerate(said) if min(int(p * 10), 9) == k]
        gap = abs(sum(said[i] for i in inside) - sum(correct[i] for i in inside))
        ece += gap / len(said)
    found = measure(said, correct)
    assert found.ece == pytest.approx(ece)
    assert found.brier == pytest.approx(
        sum((p - y) ** 2 for p, y in zip(said, correct, strict=True)) / 503
    )
    inside = [min(max(p, 1e-12), 1 - 1e-12) for p in said]
    assert found.nll == pytest.approx(
        -sum(math.log(p if y else 1 - p) for p, y in zip(inside, correct, strict=True)) / 503
    )
    assert reliability(said, correct).triples.sum() == 503
    assert measure(np.zeros(0), np.zeros(0)).ece == 0
    assert calibration_error(np.array([0.05, 0.95]), np.array([0.0, 1.0])) == pytest.approx(0.05)


@pytest.mark.parametrize("method", ["isotonic", "temperature"])
def test_better_on_documents_it_has_not_seen(method):
    found = cross_fit(method, (fold(1), fold(2)))
    before, after = found.measures["before"], found.measures["after"]
    assert after.ece < 0.7 * before.ece
    assert after.brier < before.brier
    assert after.nll < before.nll
    if method == "isotonic":
        assert after.ece < 0.05
    margins, _ = drawn(7)
    assert (np.diff(fit_fold(method, fold(1)).probability(np.sort(margins))) >= 0).all()


def test_either_half_is_judged_by_the_other():
    folds = fold(1), fold(2)
    found = cross_fit("isotonic", folds)
    shown = folds[0].predicted.margins
    curve = fit("isotonic", *drawn(2))
    assert np.allclose(found.after[: len(shown)], curve.probability(shown))
    assert found.correct.sum() == sum(one.predicted.correct.sum() for one in folds)
    whole = Fold.joined(folds)
    assert len(whole.predicted) == len(found.correct)
    assert len(whole.cells) == 4000


def test_nothing_predicted():
    margins, correct = drawn(1)
    nothing = Judged(*(np.zeros(0) for _ in range(3)))
    empty = Fold(Judged(margins, correct, np.ones_like(margins)), nothing)
    with pytest.raises(DocreError, match="nothing is predicted"):
        cross_fit("isotonic", (empty, empty))


def test_what_people_see(tmp_path):
    found = cross_fit("isotonic", (fold(1), fold(2)))
    assert table_of(found).row_count == 2
    reliability_plot(found).savefig(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000
    assert found.to_dict()["predicted"] == len(found.correct)
