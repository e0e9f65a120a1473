"""Precision, recall and F1 from counts, for one number or a whole array of resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Divide, with 0 where there is nothing to divide by."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    shape = np.broadcast_shapes(part.shape, whole.shape)
    divided: Floats = np.divide(part, whole, out=np.zeros(shape), where=whole > 0)
    return divided


def harmonic(precision: ArrayLike, recall: ArrayLike) -> Floats:
    """Return ``2PR / (P + R)``, with 0 where both are 0."""
    precision, recall = np.asarray(precision, np.float64), np.asarray(recall, np.float64)
    return ratio(2 * precision * recall, precision + recall)


def ignoring(predicted: ArrayLike, correct: ArrayLike, seen: ArrayLike, epsilon: float) -> Floats:
    """Return the precision of Ign F1: without the correct predictions that training facts gave.

    ``epsilon`` stands in the denominator as in the benchmark's scorer; it costs at most one part
    in ``predicted / epsilon`` and keeps Ign F1 at or below F1.
    """
    predicted, correct, seen = (np.asarray(count) for count in (predicted, correct, seen))
    return ratio(correct - seen, predicted - seen + epsilon)


@dataclass(frozen=True, slots=True)
class Rates:
    """Counts of one selection of triples, or of evidence sentences, and what follows from them.

    Args:
        gold: What there is to find.
        predicted: What was predicted.
        correct: What of it is in the gold.
    """

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """Share of the predictions that are right; 0 without predictions."""
        return float(ratio(self.correct, self.predicted))

    @property
    def recall(self) -> float:
        """Share of the gold that was found; 0 without gold."""
        return float(ratio(self.correct, self.gold))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are 0."""
        return float(harmonic(self.precision, self.recall))

    def to_dict(self) -> dict[str, Any]:
        """Return F1, precision, recall and the counts."""
        return {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "gold": self.gold,
            "predicted": self.predicted,
            "correct": self.correct,
        }
