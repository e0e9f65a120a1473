"""The best threshold of a head, exactly: F1 changes only where one more thing is let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docre.scoring.predictions import Ints
from docre.scoring.rates import Floats, ratio

Reached = Callable[[NDArray[np.floating], float], NDArray[np.bool_]]
"""Says which steps are taken at a threshold, from their probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What happens while a threshold falls, one step after another.

    Args:
        probability: Threshold at which each step is taken, in the precision of the model.  # [K]
        predicted: By how much there are more predictions after it.  # [K]
        correct: By how much there are more correct ones.  # [K]
        gold: What there is to find.
        start_predicted: Predictions before the first step.
        start_correct: Correct ones of those.
    """

    probability: NDArray[np.floating]
    predicted: NDArray[np.int8]
    correct: NDArray[np.int8]
    gold: int
    start_predicted: int = 0
    start_correct: int = 0

    @classmethod
    def joined(cls, documents: Iterable[Steps]) -> Steps:
        """Put the steps of documents together."""
        each = list(documents)
        return cls(
            probability=np.concatenate([one.probability for one in each]),
            predicted=np.concatenate([one.predicted for one in each]),
            correct=np.concatenate([one.correct for one in each]),
            gold=sum(one.gold for one in each),
            start_predicted=sum(one.start_predicted for one in each),
            start_correct=sum(one.start_correct for one in each),
        )


def at_least(probability: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Say which probabilities reach a threshold, as mentions and relations have to."""
    reached: NDArray[np.bool_] = probability >= probability.dtype.type(threshold)
    return reached


def best_threshold(
    steps: Steps, default: float, reached: Reached = at_least, least: float = 0.0
) -> float:
    """Return the threshold with the best F1.

    A default that no threshold is better than stays. Otherwise it is in the middle between the last
    step that is taken and the first that is not, or 1 or the least where there is none; of several,
    the one nearest to the default.

    Args:
        steps: Those of all documents.
        default: The threshold so far.
        reached: Says which steps are taken at a threshold; all that are taken have higher
            probabilities than all that are not.
        least: The lowest threshold to be considered, not above the default; no step that it takes
            may be missing.
    """
    levels, f1 = _f1_by_level(steps, reached, least)
    best = f1 == f1.max()
    if best[np.count_nonzero(reached(levels, default))]:
        return default
    count = len(levels)
    upper = np.concatenate((np.ones(1), levels)).astype(np.float64)
    lower = np.concatenate((levels, np.full(1, least))).astype(np.float64)
    middle = (upper + lower) / 2

    def separates(threshold: float, taken: int) -> bool:
        if threshold < least:
            return False
        before, after = levels[max(taken - 1, 0) : taken], levels[taken : min(taken + 1, count)]
        return bool(reached(before, threshold).all() and not reached(after, threshold).any())

    (cuts,) = best.nonzero()
    near = cuts[np.argsort(np.abs(middle[cuts] - default), kind="stable")].tolist()
    return next(
        threshold
        for taken in near
        # between numbers that are neighbours there is nothing, but one of them will do
        for threshold in map(
            float, (round(middle[taken], 6), middle[taken], upper[taken], lower[taken])
        )
        if separates(threshold, taken)
    )


def _f1_by_level(
    steps: Steps, reached: Reached, least: float
) -> tuple[NDArray[np.floating], Floats]:
    """Return the different probabilities, falling, and F1 before the first and after each."""
    possible = reached(steps.probability, least)
    probability = steps.probability[possible]
    order = np.argsort(-probability, kind="stable")
    probability = probability[order]
    last = np.ones(len(order), bool)
    last[:-1] = probability[1:] != probability[:-1]

    def totals(start: int, by: NDArray[np.int8]) -> Ints:
        summed = np.cumsum(by[possible][order], dtype=np.int64)[last]
        return start + np.concatenate((np.zeros(1, np.int64), summed))

    predicted = totals(steps.start_predicted, steps.predicted)
    correct = totals(steps.start_correct, steps.correct)
    return probability[last], ratio(2 * correct, predicted + steps.gold)
