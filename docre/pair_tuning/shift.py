"""The shift of all thresholds with the best F1, by looking at every one that makes a difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docre.scoring.rates import Rates


@dataclass(frozen=True, slots=True)
class TunedShift:
    """A shift, and what development documents score without and with it.

    Args:
        shift: What the thresholds are moved by, from where the margins are counted.
        before: Without it.
        after: With it.
    """

    shift: float
    before: Rates
    after: Rates


def best_shift(margins: NDArray[np.floating], gold: NDArray[np.bool_], total: int) -> TunedShift:
    """Return the shift with the best F1; of equal ones the nearest to 0.

    It lies in the middle between the last margin that is taken and the first that is not, so that
    documents that nobody has seen have some room.

    Args:
        margins: How far each triple is above its threshold; what can never be predicted is below
            all numbers.  # [N]
        gold: Whether it is one.  # [N]
        total: Gold triples, those included that no pair stands for.
    """
    reachable = np.isfinite(margins)
    margins, gold = margins[reachable].astype(np.float64), gold[reachable]
    order = np.argsort(-margins, kind="stable")
    levels, first = np.unique(-margins[order], return_index=True)  # rising, so margins fall
    levels = -levels
    # so many are predicted when the highest 0, 1, 2... levels are taken
    predicted = np.append(first, len(margins))
    correct = np.append(0, np.cumsum(gold[order]))[predicted]
    f1 = 2 * correct / np.maximum(predicted + total, 1)
    upper = np.append(levels[:1] + 1, levels)
    lower = np.append(levels, levels[-1:] - 1)
    shifts = np.zeros(1) if not len(levels) else (upper + lower) / 2
    taken = int((levels > 0).sum())
    shifts[taken] = 0.0  # what 0 does already
    best = np.flatnonzero(f1 == f1.max())
    chosen = int(best[np.abs(shifts[best]).argmin()])

    def rates(cut: int) -> Rates:
        return Rates(int(total), int(predicted[cut]), int(correct[cut]))

    return TunedShift(float(shifts[chosen]), rates(taken), rates(chosen))
