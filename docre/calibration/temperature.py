"""One number that makes all margins larger or smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from docre.calibration.base import Calibration, FloatArray, require_numbers

# Sharpness, 1 / temperature, is looked for in here: beyond it every probability is 0, 0.5 or 1.
_SHARPNESS = (1e-3, 1e3)
# Nothing is ever certain.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class TemperatureCalibration(Calibration):
    """The logistic function of margins over a temperature; 1 leaves them as they are.

    A margin of 0 always has probability 0.5: the threshold itself is not moved.

    Args:
        temperature: Above 1 for a model that is too sure of itself.

    Raises:
        ValueError: If it is not above 0.

    Example:
        >>> TemperatureCalibration(2.0).probability([-2, 0, 2]).round(3).tolist()
        [0.269, 0.5, 0.731]
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"the temperature must be above 0, not {self.temperature}")

    def probability(self, margins: ArrayLike) -> FloatArray:
        """Return the probability of each triple; see the base class."""
        found = logistic(require_numbers(margins) / self.temperature)
        return np.clip(found, _LEAST, 1 - _LEAST)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {"method": "temperature", "temperature": self.temperature}


def logistic(values: FloatArray) -> FloatArray:
    """Return the logistic function, which overflows nowhere in this form."""
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))


def fit_temperature(
    margins: FloatArray, correct: FloatArray, weights: FloatArray
) -> TemperatureCalibration:
    """Find the temperature with the least mean negative log likelihood.

    That is convex in 1 / temperature, so there is one; its slope has its zero there.

    Args:
        margins: Finite ones.  # [N]
        correct: Share of the triples behind each margin that are right.  # [N]
        weights: How many they are.  # [N]
    """
    # scipy is slow to import, and only fitting needs it
    from scipy.optimize import brentq  # type: ignore[import-untyped]

    def slope(sharpness: float) -> float:
        return float(weights @ (margins * (logistic(sharpness * margins) - correct)))

    low, high = _SHARPNESS
    if slope(low) >= 0:  # margins say nothing, or the wrong
        return TemperatureCalibration(1 / low)
    if slope(high) <= 0:  # the sign alone says all
        return TemperatureCalibration(1 / high)
    return TemperatureCalibration(1 / float(brentq(slope, low, high, xtol=1e-9)))
