"""Calibrations by their names: fitted to what was right and wrong, and read from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from docre.calibration.base import Calibration, FloatArray, require_numbers
from docre.calibration.isotonic import LEAST, IsotonicCalibration, fit_isotonic
from docre.calibration.temperature import TemperatureCalibration, fit_temperature
from docre.errors import DocreError

Method = Literal["isotonic", "temperature"]
"""How probabilities are fitted."""
_FITS = {"isotonic": fit_isotonic, "temperature": fit_temperature}


def fit(
    method: Method,
    margins: ArrayLike,
    correct: ArrayLike,
    weights: ArrayLike | None = None,
) -> Calibration:
    """Fit a calibration.

    Args:
        method: ``isotonic`` follows the data and needs some hundred right triples; ``temperature``
            is one number.
        margins: How far scores are above their thresholds; infinite ones are left out.  # [N]
        correct: Whether each is right, or the share of those behind it that are.  # [N]
        weights: How many triples each stands for; one if left out.  # [N]

    Raises:
        DocreError: If there is nothing to fit to, or the method is not known.
    """
    if method not in _FITS:
        raise DocreError(f"calibration: no such method: {method!r}; there are {', '.join(_FITS)}")
    given = require_numbers(margins)
    shares = np.asarray(correct, dtype=np.float64)
    counts = np.ones_like(given) if weights is None else np.asarray(weights, dtype=np.float64)
    kept = np.isfinite(given) & (counts > 0)
    given, shares, counts = compress(given[kept], shares[kept], counts[kept])
    right = float(shares @ counts)
    if right == 0 or right == counts.sum():
        what = "nothing is" if right == 0 else "everything is"
        raise DocreError(f"calibration: {what} right here, which is nothing to fit to")
    return _FITS[method](given, shares, counts)


def compress(
    margins: FloatArray, correct: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each margin once and rising, with the share that is right and the weight of all."""
    once, place = np.unique(margins, return_inverse=True)
    counts = np.bincount(place, weights, len(once)).astype(np.float64)
    return once, np.bincount(place, correct * weights, len(once)) / counts, counts


def calibration_from_dict(body: Mapping[str, Any]) -> Calibration:
    """Return the calibration that ``to_dict`` described.

    Raises:
        DocreError: If it did not.
    """
    try:
        if body["method"] == "temperature":
            return TemperatureCalibration(float(body["temperature"]))
        if body["method"] == "isotonic":
            margins, heights = (
                tuple(map(float, body[name])) for name in ("margins", "probabilities")
            )
            return IsotonicCalibration(margins, heights, float(body.get("least", LEAST)))
    except (KeyError, TypeError, ValueError) as error:
        raise DocreError(f"no calibration: {error}") from error
    raise DocreError(f"calibration: no such method: {body['method']!r}; is docre up to date?")
