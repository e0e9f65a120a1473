"""Scores of each relation, as a table and as bars."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten
from typing import TYPE_CHECKING

from docre.dashboard.drawing import BLUE, GREY, INK, new_figure, plain_axes, show_figure
from docre.dashboard.markdown import plain, table
from docre.dashboard.part import Board, DashboardPart
from docre.scoring.joint import JointScores
from docre.scoring.rates import Rates
from docre.scoring.scores import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More bars cannot be read.
_BARS = 40
_LETTERS = 40


class RelationScores(DashboardPart):
    """Shows F1, precision and recall of each relation, the frequent ones first."""

    def draw(self, board: Board) -> None:
        """Write the table and draw the bars."""
        rates = ranked(relation_rates(board.scores()))
        if not rates:
            return
        named = {board.relation_name(name): rate for name, rate in rates.items()}
        board.writer.add_text("relations", rates_table(rates, board.relation_names), board.step)
        show_figure(board, "relations", rates_figure(named))


def relation_rates(scores: object) -> Mapping[str, Rates]:
    """Return the rates of each relation, strict ones of a joint model."""
    if isinstance(scores, Scores):
        return scores.relations
    if isinstance(scores, JointScores) and scores.relation_strict is not None:
        return scores.relation_strict.labels
    return {}


def ranked(rates: Mapping[str, Rates]) -> dict[str, Rates]:
    """Return the rates of what is labelled or predicted at all, the most labelled first."""
    there = [(name, rate) for name, rate in rates.items() if rate.gold or rate.predicted]
    return dict(sorted(there, key=lambda item: (-item[1].gold, item[0])))


def rates_table(rates: Mapping[str, Rates], names: Mapping[str, str] | None = None) -> str:
    """Return the table.

    Args:
        rates: By relation.
        names: What people call them.
    """
    rows = []
    for name, rate in rates.items():
        called = (names or {}).get(name) or ""
        told = plain(name) if called in ("", name) else f"{plain(name)} {plain(called)}"
        numbers = (f"{100 * value:.1f}" for value in (rate.f1, rate.precision, rate.recall))
        counts = (str(count) for count in (rate.gold, rate.predicted, rate.correct))
        rows.append([told, *numbers, *counts])
    heads = ["relation", "F1", "P", "R", "labelled", "predicted", "correct"]
    return table(heads, rows)


def rates_figure(rates: Mapping[str, Rates]) -> Figure:
    """Return bars of F1 with precision and recall as marks; at most the 40 first relations."""
    shown = list(rates.items())[:_BARS]
    figure = new_figure(7, 1.1 + 0.21 * len(shown))
    axes = figure.add_subplot()
    rows = range(len(shown))
    axes.barh(rows, [100 * rate.f1 for _, rate in shown], color=BLUE, height=0.65, label="F1")
    marks = {"precision": ">", "recall": "<"}
    for name, mark in marks.items():
        values = [100 * getattr(rate, name) for _, rate in shown]
        axes.plot(values, rows, mark, color=INK, markersize=4, label=name, linestyle="none")
    for row, (_, rate) in enumerate(shown):
        axes.annotate(f"{rate.gold}", (104, row), fontsize=7, color=GREY, va="center")
    axes.set_yticks(rows, [shorten(name, _LETTERS, placeholder="…") for name, _ in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 111)
    left = len(rates) - len(shown)
    more = f", {left} rarer ones are in the table" if left else ""
    plain_axes(axes, f"relations, with the number of their labels{more}")
    axes.legend(
        fontsize=8,
        frameon=False,
        ncols=3,
        loc="upper right",
        bbox_to_anchor=(1, -0.35 / len(shown)),
    )
    return figure
