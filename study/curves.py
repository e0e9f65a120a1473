"""A picture of F1 over labels that are missing and labels that are wrong, a line for each loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from docre.data.writing import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# what each loss is called and drawn as
_LOSSES = {
    "atl": ("adaptive threshold", "#3b6ea5"),
    "s_pu": ("S-PU", "#d08a3c"),
    "cmm": ("concentrated margin", "#4f8f5b"),
}
# cells by the share of labels in percent
MISSING = {10: "curve/{}_10", 25: "curve/{}_25", 50: "curve/{}_50", 100: "noise/complete_{}"}
# the same for labels that were left out when DocRED and SSR-PU's train_ext were made
LEFT_OUT = {15.8: "noise/ext_{}", 31.4: "noise/docred_{}"}
# cells by the number of wrong labels for 100 true ones
WRONG = {0: "noise/complete_{}", 20: "wrong/{}_20", 50: "wrong/{}_50"}


def write_curves(kept: Path, picture: Path) -> None:
    """Draw what was run, if anything was."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    places = [
        _draw(axes, kept, loss, cells, is_line)
        for loss in _LOSSES
        for axes, cells, is_line in (
            (left, MISSING, True),
            (left, LEFT_OUT, False),
            (right, WRONG, True),
        )
    ]
    if not any(places):
        return
    left.set_xscale("log")
    left.set_xticks(list(MISSING), [f"{share} %" for share in MISSING])
    left.minorticks_off()
    left.set_xlabel("labels that are kept (open: DocRED's, and train_ext's)")
    left.set_ylabel("F1 in percent")
    right.set_xticks(list(WRONG))
    right.set_xlabel("wrong labels for 100 true ones")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    with atomic_file(picture) as file:
        figure.savefig(file, format="png", dpi=160)


def points(kept: Path, loss: str, cells: Mapping[float, str]) -> dict[float, list[float]]:
    """Return the scores of all seeds, in percent, of the cells that were run."""
    found = {}
    for at, cell in cells.items():
        files = sorted((kept / cell.format(loss)).glob("seed_*/scores/test.json"))
        if files:
            found[at] = [100 * json.loads(file.read_text())["scores"]["f1"] for file in files]
    return found


def _draw(axes: Axes, kept: Path, loss: str, cells: Mapping[float, str], is_line: bool) -> bool:
    found = points(kept, loss, cells)
    label, colour = _LOSSES[loss]
    if found:
        axes.errorbar(
            list(found),
            [fmean(scores) for scores in found.values()],
            # a single run has no spread, and none is drawn for it
            yerr=[stdev(scores) if len(scores) > 1 else float("nan") for scores in found.values()],
            color=colour,
            marker="o",
            markerfacecolor=colour if is_line else "white",
            linestyle="-" if is_line else "none",
            capsize=3,
            label=label if is_line else None,
        )
    return bool(found)
