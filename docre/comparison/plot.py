"""A comparison as a picture: a mark for each row and its seeds, or a line over a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from docre.comparison.columns import drawn
from docre.comparison.comparison import Comparison, ComparisonTable
from docre.errors import DocreError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
_COLOURS = ("#3b6ea5", "#d08a3c")
_LINES = ("-", (0, (4, 3)))  # the second is dashed, so that an equal one below it is seen
_WIDEST = 26  # letters of a name in one line
_NARROWEST = 5.0  # points of a score: an axis of fewer makes cliffs of tenths


def write_plot(comparison: Comparison, path: Path) -> None:
    """Write a picture of the first table; its ending says in which format.

    Raises:
        DocreError: If there is no such format.
    """
    from docre.data.writing import atomic_file

    check_plot(path)
    figure = plot(comparison)
    with atomic_file(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=160)


def check_plot(path: Path) -> None:
    """Refuse a name that says no format.

    Raises:
        DocreError: If it does not.
    """
    if path.suffix.lower() not in FORMATS:
        raise DocreError(f"--plot must end in one of {', '.join(FORMATS)}: {path}")


def plot(comparison: Comparison) -> Figure:
    """Return a picture of the first table, with at most two scores.

    Rows that differ in one number only are points of a line, with a band of one standard deviation
    over seeds; others stand below each other, with error bars of one. Small points are single runs.
    """
    from matplotlib.figure import Figure

    table = comparison.tables[0]
    scores = [name for name in drawn(table.chosen) if name in table.scores][: len(_COLOURS)]
    factor = comparison.factor
    height = 4.0 if factor else 1.4 + 0.3 * len(scores) * len(table.rows)
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = figure.add_subplot()
    if factor is not None:
        _line(axes, table, scores, *factor)
    else:
        _rows(axes, table, scores)
    axes.set_title(f"{table.on.split} split, {table.on.file or 'unknown file'}", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    handles = [*axes.get_legend_handles_labels()[0], *_signs(table, scores, factor is not None)]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize="small"
    )
    return figure


def _line(
    axes: Axes, table: ComparisonTable, scores: list[str], name: str, values: Mapping[str, float]
) -> None:
    rows = sorted(table.rows, key=lambda row: values[row.name])
    for score, colour, style in zip(scores, _COLOURS, _LINES, strict=False):
        known = [(values[row.name], row) for row in rows if row.mean(score) is not None]
        at = [value for value, _ in known]
        means = [100 * (row.mean(score) or 0.0) for _, row in known]
        spreads = [100 * (row.sd(score) or 0.0) for _, row in known]
        axes.plot(at, means, color=colour, marker="o", linestyle=style, label=table.scores[score])
        if any(spreads):
            low, high = (
                [mean + sign * sd for mean, sd in zip(means, spreads, strict=True)]
                for sign in (-1, 1)
            )
            axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
        for value, row in known:
            _points(axes, [(value, 100 * each) for each in row.values(score)], colour)
    positive = [values[row.name] for row in rows]
    if min(positive) > 0 and max(positive) >= 50 * min(positive):
        axes.set_xscale("log")
    axes.set_xticks(positive, [f"{value:g}" for value in positive])
    axes.minorticks_off()
    axes.set_ylim(_wide_enough(*axes.get_ylim()))
    axes.set_xlabel(name)
    axes.set_ylabel("percent")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def _rows(axes: Axes, table: ComparisonTable, scores: list[str]) -> None:
    """Draw a mark for each mean: bars from 0 would hide a point of F1, cut bars enlarge it."""
    for place, (score, colour) in enumerate(zip(scores, _COLOURS, strict=False)):
        label = table.scores[score]
        for number, row in enumerate(table.rows):
            mean, sd = row.mean(score), row.sd(score)
            if mean is None:
                continue
            at = number + 0.24 * (place - (len(scores) - 1) / 2)
            spread = None if sd is None else 100 * sd
            axes.errorbar(
                100 * mean, at, xerr=spread, color=colour, marker="D", capsize=3, linestyle="none",
                label=label,
            )  # fmt: skip
            _points(axes, [(100 * value, at - 0.09) for value in row.values(score)], colour)
            label = ""  # once in the legend
            if row.name == table.baseline:
                axes.axvline(100 * mean, color=colour, linestyle=":", linewidth=1, zorder=0)
    names = [_folded(row.name) for row in table.rows]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(_wide_enough(*axes.get_xlim()))
    axes.set_xlabel("percent")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)


def _wide_enough(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis, moved apart if scores that are almost equal look far apart."""
    more = max(0.0, _NARROWEST - (high - low)) / 2
    return low - more, high + more


def _signs(table: ComparisonTable, scores: list[str], is_line: bool) -> list[Artist]:
    """Return what the legend says of bars, bands and circles, if there are any."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if all(row.sd(score) is None for row in table.rows for score in scores):
        return []
    grey, sd = "#666666", "± one standard deviation over seeds"
    spread = (
        Patch(color=grey, alpha=0.3, linewidth=0, label=sd)
        if is_line
        else Line2D([], [], color=grey, marker="|", markersize=8, label=sd)
    )
    seed = Line2D([], [], color=grey, marker="o", markersize=3.5, linestyle="none", label="a seed")
    seed.set_markerfacecolor("white")
    return [spread, seed]


def _points(axes: Axes, places: list[tuple[float, float]], colour: str) -> None:
    if len(places) > 1:
        across, up = zip(*places, strict=True)
        axes.scatter(across, up, s=12, color="white", edgecolor=colour, linewidth=1, zorder=3)


def _folded(name: str) -> str:
    """Break a long name behind commas and underlines."""
    lines = [""]
    for part in re.findall(r"[^,_/ ]*[,_/ ]*", name):
        if len(lines[-1]) + len(part) > _WIDEST and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines).replace("$", r"\$")
