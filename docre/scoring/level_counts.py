"""Counts of one level of joint extraction by document."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from docre.scoring.predictions import Ints
from docre.scoring.rates import Floats, harmonic, ratio


@dataclass(frozen=True, eq=False)
class LevelCounts:
    """What precision and recall of one level are made of, so that documents can be resampled.

    Args:
        documents: Ids of the scored documents, ``[D]``.
        table: Items in gold, predicted and correct, ``[D, 3]``.
        unknown: Items predicted in documents that the gold does not have; they count as wrong.
    """

    documents: tuple[str, ...]
    table: Ints
    unknown: int

    def totals(self) -> Ints:
        """Return the counts of all documents together, ``[3]``."""
        totals: Ints = self.complete(self.table.sum(axis=0))
        return totals

    def complete(self, totals: Ints) -> Ints:
        """Add to sums over documents, ``[..., 3]``, what belongs to none of them."""
        complete: Ints = totals + np.array([0, self.unknown, 0])
        return complete

    def rates(self, totals: Ints) -> dict[str, Floats]:
        """Return F1, precision and recall for totals of shape ``[..., 3]``, each ``[...]``."""
        gold, predicted, correct = np.moveaxis(totals, -1, 0)
        precision, recall = ratio(correct, predicted), ratio(correct, gold)
        return {"f1": harmonic(precision, recall), "precision": precision, "recall": recall}
