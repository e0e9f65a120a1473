"""Scores as people read them in a terminal, in percent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from docre.scoring.groups import RelationGroupRates
from docre.scoring.rates import Rates

if TYPE_CHECKING:
    from docre.scoring.joint import JointScores
    from docre.scoring.scores import Scores

Intervals = Mapping[str, tuple[float, float]]


def joint_table(scores: JointScores, title: str, intervals: Intervals | None = None) -> Table:
    """Return a table of every level, of labels' means, and of coreference that is partly right.

    Below it stands what of the gold is there more than once.

    Args:
        scores: The scores.
        title: Title of the table.
        intervals: Confidence intervals, by names such as ``entity_f1``.
    """
    table = _table(title, None, intervals)
    reported = scores.reported()
    for name, level in reported.items():
        _add(table, name.replace("_", " "), rate_cells(level.overall), f"{name}_f1", intervals)
    partly: dict[str, tuple[float, ...]] = {
        f"{name.removeprefix('relation_')}, macro": (
            level.macro_f1,
            level.macro_precision,
            level.macro_recall,
        )
        for name, level in reported.items()
        if level.labels
    }
    if "coreference" in reported:
        partial = scores.partial_coreference
        for name, rates in (("MUC", partial.muc), ("B3", partial.b3), ("CEAF-e", partial.ceaf_e)):
            partly[name] = rates.f1, rates.precision, rates.recall
        partly["CoNLL"] = (partial.conll_f1,)
    for name, values in partly.items():
        _add(table, name, list(map(_percent, values)), "", intervals)
    if scores.gold_duplicates:
        repeated = "repeated entities and relations of the gold count once"
        table.caption, table.caption_justify = f"{scores.gold_duplicates:,} {repeated}", "left"
    return table


def pair_table(scores: Scores, title: str, intervals: Intervals | None = None) -> Table:
    """Return a table of the scores of all triples together; arguments as above."""
    table = _table(title, None, intervals)
    _add(table, "relations", rate_cells(scores.overall), "f1", intervals)
    for name, ign in scores.ign.items():
        cells = list(map(_percent, (ign.f1, ign.precision, scores.recall)))
        _add(table, f"Ign ({name})", cells, f"ign_f1/{name}", intervals)
    if scores.evidence is not None:
        _add(table, "evidence", rate_cells(scores.evidence), "evidence_f1", intervals)
    _add(table, "macro", [_percent(scores.macro_f1)], "", intervals)
    return table


def group_table(scores: Scores, title: str) -> Table:
    """Return a table of the scores by distance and by set of relations."""
    table = _table(title, "P over all*", None)
    for name, rates in scores.groups.items():
        cells = rate_cells(rates)
        if isinstance(rates, RelationGroupRates):
            cells.append(_percent(rates.precision_over_all_predictions))
        _add(table, name, cells, "", None)
    return table


def pair_line(scores: Scores, title: str) -> Text:
    """Return the scores of triples that people look for first, in one line of fractions."""
    parts = [f"F1 {scores.f1:.4f}"]
    parts += [f"Ign F1 {ign.f1:.4f} (without {ign.facts.name})" for ign in scores.ign.values()]
    parts += [f"P {scores.precision:.4f}", f"R {scores.recall:.4f}"]
    return Text.assemble((title, "bold"), "  ", "  ".join(parts))


def rate_cells(rates: Rates) -> list[str]:
    """Return F1, precision, recall and the three counts."""
    counts = f"{rates.gold:,}", f"{rates.predicted:,}", f"{rates.correct:,}"
    return [*map(_percent, (rates.f1, rates.precision, rates.recall)), *counts]


def _table(title: str, last: str | None, intervals: Intervals | None) -> Table:
    table = Table(title=escape(title), box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold", min_width=13)
    names = ["F1", "P", "R", "gold", "predicted", "correct"]
    names += [] if last is None else [last]
    for name in [*names, *(["95 % of F1"] if intervals else [])]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add(table: Table, title: str, cells: list[str], key: str, intervals: Intervals | None) -> None:
    row = [escape(title), *cells]
    if intervals:
        low, high = intervals.get(key, (0.0, 0.0))
        ends = f"{_percent(low)}-{_percent(high)}" if key in intervals else ""
        row += [""] * (len(table.columns) - 1 - len(row)) + [ends]
    table.add_row(*row)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"
