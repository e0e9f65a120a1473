"""Temperature against a grid, and what both methods refuse."""

import json

import numpy as np
import pytest

from docre.calibration import (
    TemperatureCalibration,
    calibration_from_dict,
    fit,
    nll,
    probability_margins,
)
from docre.errors import DocreError


def made(sharpness, seed=0, count=1500):
    """Margins of a model that is as sure of itself as ``1 / sharpness`` says."""
    random = np.random.default_rng(seed)
    margins = random.normal(0.5, 3, size=count)
    return margins, (random.random(count) < 1 / (1 + np.exp(-sharpness * margins))).astype(float)


@pytest.mark.parametrize("sharpness", [0.2, 0.7, 1.0, 4.0])
def test_as_a_search_on_a_grid(sharpness):
    margins, correct = made(sharpness)
    found = fit("temperature", margins, correct).temperature
    grid = np.geomspace(0.1, 10, 1000)
    losses = [nll(np.clip(1 / (1 + np.exp(-margins / t)), 1e-12, 1 - 1e-12), correct) for t in grid]
    best = int(np.argmin(losses))
    assert grid[best - 1] <= found <= grid[best + 1]
    assert found == pytest.approx(1 / sharpness, rel=0.2)


def test_weights_stand_for_repetitions():
    margins, correct = made(0.5, count=200)
    weights = np.random.default_rng(1).integers(0, 4, size=200)
    repeated = fit("temperature", np.repeat(margins, weights), np.repeat(correct, weights))
    weighted = fit("temperature", margins, correct, weights)
    assert weighted.temperature == pytest.approx(repeated.temperature, rel=1e-6)


def test_margins_that_say_nothing_or_all():
    assert fit("temperature", [1, 1, -1, -1], [1, 0, 1, 0]).temperature == pytest.approx(1e3)
    assert fit("temperature", [1, 2, -1, -2], [0, 0, 1, 1]).temperature == pytest.approx(1e3)
    assert fit("temperature", [1, 2, -1, -2], [1, 1, 0, 0]).temperature == pytest.approx(1e-3)


def test_probabilities():
    said = TemperatureCalibration(2.0).probability([-np.inf, -2e4, -2, 0, 2, 2e4, np.inf])
    assert said[2:5].tolist() == pytest.approx([1 / (1 + np.e), 0.5, np.e / (1 + np.e)])
    assert 0 < said[0] == said[1]
    assert said[5] == said[6] < 1
    assert (np.diff(said) >= 0).all()
    body = json.loads(json.dumps(TemperatureCalibration(2.0).to_dict()))
    assert calibration_from_dict(body) == TemperatureCalibration(2.0)


def test_infinite_margins_are_left_out_of_a_fit():
    margins, correct = made(0.5, count=300)
    with_others = fit("temperature", [*margins, np.inf, -np.inf], [*correct, 0, 1])
    assert with_others == fit("temperature", margins, correct)


def test_margins_of_probabilities():
    margins = probability_margins([0.0, 0.2, 0.6, 0.9, 1.0], 0.6)
    assert margins[2] == 0
    assert margins[3] == pytest.approx(np.log(9) - np.log(1.5))
    assert np.isfinite(margins).all()
    assert (np.diff(margins) > 0).all()
    assert np.isfinite(probability_margins([0.5], 0.0)).all()
    assert probability_margins([], 0.5).shape == (0,)


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
@pytest.mark.parametrize(
    ("margins", "correct", "said"),
    [([], [], "nothing is right"), ([1.0], [0], "nothing is"), ([1.0, 2.0], [1, 1], "everything")],
)
def test_nothing_to_fit_to(method, margins, correct, said):
    with pytest.raises(DocreError, match=said):
        fit(method, margins, correct)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"method": "platt"},
        {"method": "temperature"},
        {"method": "temperature", "temperature": "hot"},
        {"method": "temperature", "temperature": 0},
        {"method": "isotonic", "margins": [1], "probabilities": []},
        {"method": "isotonic", "margins": 3, "probabilities": 4},
        {"method": ["isotonic"]},
    ],
)
def test_what_is_no_calibration(body):
    with pytest.raises(DocreError, match="calibration"):
        calibration_from_dict(body)


def test_an_unknown_method():
    with pytest.raises(DocreError, match="no such method"):
        fit("platt", [1.0], [1])
