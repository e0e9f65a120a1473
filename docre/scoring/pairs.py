"""Pair-level scores of the biomedical data sets, from 0/1 matrices over pairs and classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from docre.scoring.rates import Rates


def pair_rates(labels: ArrayLike, predictions: ArrayLike) -> Rates:
    """Count over pairs and relations, without column 0, the class of no relation.

    Over the candidate pairs of a data set this is the score of :func:`docre.scoring.score`; labels
    outside the candidate pairs are not there to be missed.

    Args:
        labels: 0/1, ``[P, 1 + R]``.
        predictions: 0/1, ``[P, 1 + R]``.
    """
    gold = np.asarray(labels).astype(bool)[:, 1:]
    predicted = np.asarray(predictions).astype(bool)[:, 1:]
    return Rates(int(gold.sum()), int(predicted.sum()), int((gold & predicted).sum()))


def epsilon_f1(rates: Rates, epsilon: float = 1e-5) -> tuple[float, float, float]:
    """Return precision, recall and F1 as published for CDR and GDA.

    ``epsilon`` is added to every denominator, so that perfect predictions stay just below 1; use
    ``rates.f1`` unless a published number is to be met.
    """
    precision = rates.correct / (rates.predicted + epsilon)
    recall = rates.correct / (rates.gold + epsilon)
    return precision, recall, 2 * precision * recall / (precision + recall + epsilon)
