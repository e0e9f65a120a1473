"""What every calibration does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class Calibration(ABC):
    """Says how probable it is that a triple with a given margin is right; never falls with it."""

    @abstractmethod
    def probability(self, margins: ArrayLike) -> FloatArray:
        """Return the probability of each triple, strictly between 0 and 1.

        Args:
            margins: How far scores are above their thresholds, in logits; may be infinite.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""


def require_numbers(margins: ArrayLike) -> FloatArray:
    """Return margins in double precision.

    Raises:
        ValueError: If one is not a number.
    """
    given = np.asarray(margins, dtype=np.float64)
    if np.isnan(given).any():
        raise ValueError("a margin is not a number")
    return given
