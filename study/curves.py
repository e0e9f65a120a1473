"""A picture of F1 over labels that are missing and labels that are wrong, a line for each loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from docre.data.writing import atomic_file
from study.ranking import FILE as RANKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# what each loss is called and drawn as
_LOSSES = {
    "atl": ("adaptive threshold", "#3b6ea5"),
    "s_pu": ("S-PU", "#d08a3c"),
    "cmm": ("concentrated margin", "#4f8f5b"),
}
# what each score is called and drawn with
_SCORES = {
    "f1": ("as learned", "o", "-"),
    "crossed_f1": ("threshold from the other half", "^", ":"),
}
# cells by the share of labels in percent
MISSING = {10: "curve/{}_10", 25: "curve/{}_25", 50: "curve/{}_50", 100: "noise/complete_{}"}
# the same for labels that were left out when DocRED and SSR-PU's train_ext were made
LEFT_OUT = {15.8: "noise/ext_{}", 31.4: "noise/docred_{}"}
# cells by the number of wrong labels for 100 true ones
WRONG = {0: "noise/complete_{}", 20: "wrong/{}_20", 50: "wrong/{}_50"}
# the same for wrong labels of pairs whose types fit
WRONG_TYPED = {50: "wrong/{}_50_typed"}


def write_curves(kept: Path, picture: Path) -> None:
    """Draw what was run, if anything was.

    Circles are F1 as learned, triangles F1 at a threshold from the other half of the documents.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    places = [
        _draw(axes, points(kept, loss, cells, score), _LOSSES[loss][1], is_line, score)
        for loss in _LOSSES
        for axes, cells, is_line in (
            (left, MISSING, True),
            (left, LEFT_OUT, False),
            (right, WRONG, True),
            (right, WRONG_TYPED, False),
        )
        for score in _SCORES
    ]
    if not any(places):
        return
    left.set_xscale("log")
    left.set_xlim(9, 112)
    left.set_xticks(list(MISSING), [f"{share} %" for share in MISSING])
    left.minorticks_off()
    left.set_xlabel("labels that are kept\n(open: DocRED's, and SSR-PU's part of them)")
    left.set_ylabel("F1 in percent")
    right.set_xlim(-3, 53)
    right.set_xticks(list(WRONG))
    right.set_xlabel("wrong labels for 100 true ones\n(open: of pairs whose types fit)")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    figure.legend(handles=_signs(), loc="outside lower center", ncols=3, frameon=False)
    with atomic_file(picture) as file:
        figure.savefig(file, format="png", dpi=160)


def points(
    kept: Path, loss: str, cells: Mapping[float, str], score: str = "f1"
) -> dict[float, list[float]]:
    """Return the scores of all seeds, in percent, of the cells that were run."""
    found = {}
    for at, cell in cells.items():
        folders = sorted((kept / cell.format(loss)).glob("seed_*/scores"))
        if each := [value for folder in folders if (value := _score(folder, score)) is not None]:
            found[at] = [100 * value for value in each]
    return found


def _score(folder: Path, score: str) -> float | None:
    path = folder / ("test.json" if score == "f1" else RANKING)
    if not path.exists():
        return None
    body = json.loads(path.read_text())
    value: float = body["scores"]["f1"] if score == "f1" else body[score]
    return value


def _draw(
    axes: Axes, found: dict[float, list[float]], colour: str, is_line: bool, score: str
) -> bool:
    if found:
        axes.errorbar(
            list(found),
            [fmean(scores) for scores in found.values()],
            # a single run has no spread, and none is drawn for it
            yerr=[stdev(scores) if len(scores) > 1 else float("nan") for scores in found.values()],
            color=colour,
            marker=_SCORES[score][1],
            markerfacecolor=colour if is_line else "white",
            linestyle=_SCORES[score][2] if is_line else "none",
            capsize=3,
        )
    return bool(found)


def _signs() -> list[Artist]:
    """Return what the legend says of colours and marks."""
    from matplotlib.lines import Line2D

    losses = [Line2D([], [], color=colour, label=label) for label, colour in _LOSSES.values()]
    scores = [
        Line2D([], [], color="#666666", marker=marker, linestyle=line, label=label)
        for label, marker, line in _SCORES.values()
    ]
    return [*losses, *scores]
