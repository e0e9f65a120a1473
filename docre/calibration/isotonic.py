"""Any curve that never falls, as the data have it: pool adjacent violators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from docre.calibration.base import Calibration, FloatArray, require_numbers

# Nothing is ever certain, however few triples a model had to be wrong about.
LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class IsotonicCalibration(Calibration):
    """Straight lines between knots, flat before the first and behind the last.

    Args:
        margins: Of the knots, rising.  # [K]
        probabilities: At the knots, never falling.  # [K]
        least: No probability is below this or above 1 less this.

    Raises:
        ValueError: If they are no such curve.

    Example:
        >>> curve = IsotonicCalibration((0.0, 2.0), (0.2, 0.6))
        >>> curve.probability([-9, 0, 1, 9]).round(3).tolist()
        [0.2, 0.2, 0.4, 0.6]
    """

    margins: Sequence[float]
    probabilities: Sequence[float]
    least: float = LEAST

    def __post_init__(self) -> None:
        margins, values = np.asarray(self.margins), np.asarray(self.probabilities)
        if margins.ndim != 1 or margins.shape != values.shape or not len(margins):
            raise ValueError("isotonic calibration needs as many probabilities as margins, and one")
        if not np.isfinite(margins).all() or (np.diff(margins) <= 0).any():
            raise ValueError("the margins of isotonic calibration must be finite, and rise")
        if not ((values >= 0) & (values <= 1)).all() or (np.diff(values) < 0).any():
            raise ValueError("the probabilities of isotonic calibration must not fall")
        if not 0 < self.least < 0.5:
            raise ValueError(f"least must be between 0 and 0.5, not {self.least}")

    def probability(self, margins: ArrayLike) -> FloatArray:
        """Return the probability of each triple; see the base class."""
        found = np.interp(require_numbers(margins), self.margins, self.probabilities)
        return np.clip(found, self.least, 1 - self.least)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {
            "method": "isotonic",
            "margins": list(self.margins),
            "probabilities": list(self.probabilities),
            "least": self.least,
        }


def fit_isotonic(
    margins: FloatArray, correct: FloatArray, weights: FloatArray
) -> IsotonicCalibration:
    """Find the curve that never falls with the least squared error.

    Args:
        margins: Finite, rising, each once.  # [N]
        correct: Share of the triples behind each margin that are right.  # [N]
        weights: How many they are.  # [N]
    """
    starts, values = pool_violators(correct, weights)
    # a pool is flat from its first margin to its last one
    ends = np.append(starts[1:], len(margins)) - 1
    knots = np.stack([margins[starts], margins[ends]], axis=1).ravel()  # [2 K]
    heights = np.repeat(values, 2)  # [2 K]
    once = np.append(True, np.diff(knots) > 0)  # pools of one margin
    return IsotonicCalibration(tuple(knots[once].tolist()), tuple(heights[once].tolist()))


def pool_violators(values: FloatArray, weights: FloatArray) -> tuple[np.ndarray, FloatArray]:
    """Pool neighbours until the means of the pools rise.

    Neighbours that do not rise share a value in the best fit, whatever else there is. So whole
    runs of them are pooled at once, and the means of the pools again, until all rise.

    Args:
        values: In their order.  # [N]
        weights: Of the values, above 0.  # [N]

    Returns:
        Where each pool begins, and its mean.  # [K]
    """
    starts = np.arange(len(values))
    sums, weights = values * weights, weights.copy()
    means = values
    while True:
        rises = np.flatnonzero(np.append(True, np.diff(means) > 0))
        if len(rises) == len(means):
            return starts, np.clip(means, 0.0, 1.0)
        sums, weights = np.add.reduceat(sums, rises), np.add.reduceat(weights, rises)
        means, starts = sums / weights, starts[rises]
