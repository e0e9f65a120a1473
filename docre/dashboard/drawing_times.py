"""When figures and texts are made."""

from __future__ import annotations

import math


def is_due(done: int, total: float, drawings: int, drawn: int) -> bool:
    """Say whether a validation is to be drawn: the first one, and from there evenly to the end.

    The last validation of a training is drawn in any case, when training has ended: nobody knows
    before that it is the last one.

    Args:
        done: Updates so far.
        total: Updates of the whole training. Where it is infinite, for nobody knows when training
            ends, there is a drawing each time that it has become twice as long.
        drawings: How many are wanted; 1 for the last one alone, 0 for none.
        drawn: Updates at the last drawing, 0 before the first one.

    Example:
        >>> [is_due(done, 90, drawings=4, drawn=10) for done in (10, 20, 30, 40)]
        [False, False, True, True]
    """
    if drawings < 2:
        return False
    if not drawn:
        return True
    if not math.isfinite(total) or total <= 0:
        return done >= 2 * drawn
    now, before = (math.floor(at / total * (drawings - 1) + 1e-9) for at in (done, drawn))
    return now > before
