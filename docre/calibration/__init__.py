"""From margins to probabilities: how often a triple with such a margin is right."""

from __future__ import annotations

from docre.calibration.base import Calibration
from docre.calibration.fitting import Method, calibration_from_dict, fit
from docre.calibration.isotonic import IsotonicCalibration
from docre.calibration.judged import probability_margins
from docre.calibration.measures import Measures, brier_score, calibration_error, measure, nll
from docre.calibration.temperature import TemperatureCalibration

__all__ = [
    "Calibration",
    "IsotonicCalibration",
    "Measures",
    "Method",
    "TemperatureCalibration",
    "brier_score",
    "calibration_error",
    "calibration_from_dict",
    "fit",
    "measure",
    "nll",
    "probability_margins",
]
