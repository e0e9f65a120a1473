"""How good probabilities are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from docre.calibration.base import FloatArray


@dataclass(frozen=True, slots=True)
class Measures:
    """What probabilities of triples are worth; all are 0 at best.

    Args:
        ece: Expected calibration error.
        brier: Mean squared error.
        nll: Mean negative log likelihood.
    """

    ece: float
    brier: float
    nll: float


class Reliability(NamedTuple):
    """Triples by their probability, in bins of equal width; empty ones have no mean.

    Args:
        triples: How many are in each bin.  # [bins]
        said: Mean of their probabilities.  # [bins]
        right: Share of them that is right.  # [bins]
    """

    triples: FloatArray
    said: FloatArray
    right: FloatArray


def measure(probabilities: FloatArray, correct: FloatArray) -> Measures:
    """Return all measures of some triples.

    Args:
        probabilities: Between 0 and 1.  # [N]
        correct: 1 for those that are right.  # [N]
    """
    return Measures(
        calibration_error(probabilities, correct),
        brier_score(probabilities, correct),
        nll(probabilities, correct),
    )


def calibration_error(probabilities: FloatArray, correct: FloatArray, bins: int = 10) -> float:
    """Return the expected calibration error: how far off the mean of a bin is, by its size."""
    found = reliability(probabilities, correct, bins)
    gaps = np.where(found.triples > 0, np.abs(found.said - found.right), 0.0)
    return float(found.triples @ gaps / max(found.triples.sum(), 1))


def brier_score(probabilities: FloatArray, correct: FloatArray) -> float:
    """Return the mean squared distance from what is true."""
    return float(np.square(probabilities - correct).mean()) if len(correct) else 0.0


def nll(probabilities: FloatArray, correct: FloatArray, least: float = 1e-12) -> float:
    """Return the mean negative log likelihood; finite, whatever is claimed to be certain."""
    if not len(correct):
        return 0.0
    inside = np.clip(probabilities, least, 1 - least)
    return float(-(correct * np.log(inside) + (1 - correct) * np.log1p(-inside)).mean())


def reliability(probabilities: FloatArray, correct: FloatArray, bins: int = 10) -> Reliability:
    """Put triples into bins by their probability."""
    place = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    divisor = np.maximum(count, 1)
    said = np.bincount(place, probabilities, bins) / divisor
    return Reliability(count, said, np.bincount(place, correct, bins) / divisor)
