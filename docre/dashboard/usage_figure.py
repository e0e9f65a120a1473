"""The slots of a memory in the order of their use, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from docre.dashboard.drawing import BLUE, GREY, INK, new_figure, plain_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
# More bars cannot be read.
_BARS = 30


def usage_figure(usage: Floats, title: str, labels: Sequence[str] = ()) -> Figure:
    """Return the slots in the order of their use, and the first of them by name.

    Args:
        usage: Of each slot.  # [S]
        title: Of which memory.
        labels: What the slots are called; their numbers if left out.
    """
    order = usage.argsort()[::-1]
    names = [labels[slot] if labels else str(slot) for slot in order[:_BARS]]
    figure = new_figure(7, 4.4)
    top, whole = figure.subplots(2, 1, height_ratios=(3, 2))
    first = range(len(names))
    top.bar(first, usage[order[:_BARS]], color=BLUE, width=0.75)
    top.set_xticks(first, names, rotation=0 if max(map(len, names)) < 4 else 90)
    plain_axes(top, title)
    top.tick_params(axis="x", labelsize=7)
    top.set_xlabel(f"the {len(names)} first of {len(usage)}", fontsize=8, color=INK)
    ranks = range(1, len(usage) + 1)
    whole.fill_between(ranks, usage[order], step="mid", color=BLUE, alpha=0.35, linewidth=0)
    whole.axhline(usage.mean(), color=GREY, linewidth=1, linestyle="--")
    whole.annotate(
        "mean", (1, usage.mean()), (0, 2), textcoords="offset points", fontsize=7, color=GREY
    )
    whole.set_ylim(bottom=0)
    plain_axes(whole, "all slots in the same order")
    return figure
