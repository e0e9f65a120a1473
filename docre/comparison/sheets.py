"""A comparison as tables of cells, before it is written as text of any kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from docre.comparison.columns import BESIDE, compared
from docre.comparison.comparison import Comparison, ComparisonTable
from docre.comparison.rows import ComparedRow
from docre.readable import duration


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Args:
        text: What it says.
        spread: Standard deviation, if there is one.
        is_best: Whether it stands out.
        is_significant: Whether it is a score known to differ from the baseline.
    """

    text: str
    spread: str = ""
    is_best: bool = False
    is_significant: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as people read it; the first column has names, the others numbers.

    Args:
        title: What it shows.
        label: A short name of it, no other sheet has the same.
        headings: Of the columns.
        rows: Cells of each row.
        spare: Numbers of the columns that may be left out, the least important first.
        baseline: Number of the row that the others are compared with.
        notes: What is to be known to read the numbers.
        remarks: What else is to be known: about the runs and how they were made.
    """

    title: str
    label: str
    headings: list[str]
    rows: list[list[Cell]]
    spare: list[int]
    baseline: int | None = None
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def sheets_of(comparison: Comparison, for_paper: bool = False) -> list[Sheet]:
    """Return the scores of each table, and the differences to its baseline.

    Args:
        comparison: What was compared.
        for_paper: Leave numbers of runs and times out unless they were asked for, and have the
            notes at the scores and not below the differences.
    """
    sheets = []
    for number, table in enumerate(comparison.tables):
        asked = [name for name in BESIDE if name in table.chosen]
        beside = asked if for_paper or asked else list(BESIDE)
        suffix = f"-{number + 1}" if number else ""
        made = [_scores(table, beside, suffix)]
        if len(table.rows) > 1 and table.baseline is not None:
            held = _differences(table, suffix)
            made += [held] if held.rows else []
        noted = made[0 if for_paper else -1]
        noted.notes.extend(table.notes)
        noted.remarks.extend(table.remarks)
        if number == 0:
            noted.remarks.extend(comparison.notes)
        sheets += made
    return sheets


def _scores(table: ComparisonTable, beside: list[str], suffix: str) -> Sheet:
    title = f"Scores in percent: {table.on}"
    if table.apart:
        title += f". Not comparable with the first table: {'; '.join(table.apart)}"
    counted = "runs" in beside
    timed = "time" in beside and any(row.seconds is not None for row in table.rows)
    scores = table.scores
    headings = ["", *(["runs"] if counted else []), *scores.values()]
    headings += ["training"] if timed else []
    rows = []
    for row in table.rows:
        cells = [Cell(row.name), *([Cell(str(len(row.runs)))] if counted else [])]
        cells += [_score(table, row, name) for name in scores]
        rows.append([*cells, *([Cell(duration(row.seconds))] if timed else [])])
    names = [row.name for row in table.rows]
    return Sheet(
        title=title,
        label=f"{table.on.split}-scores{suffix}",
        headings=headings,
        rows=rows,
        spare=list(range(len(headings) - 1, 2 if counted else 1, -1)) + ([1] if counted else []),
        baseline=None if table.baseline is None or len(names) < 2 else names.index(table.baseline),
    )


def _score(table: ComparisonTable, row: ComparedRow, name: str) -> Cell:
    mean, sd = row.mean(name), row.sd(name)
    if mean is None:
        return Cell("-")
    spread = "" if sd is None else f"{100 * sd:.2f}"
    best, differs = table.is_best(row.name, name), table.is_significant(row.name, name)
    return Cell(f"{100 * mean:.2f}", spread, best, differs)


def _differences(table: ComparisonTable, suffix: str) -> Sheet:
    names = [name for name in compared(table.on.task, table.chosen) if name in table.scores]
    seeds = any(len(row.runs) > 1 for row in table.rows)
    headings = ["", "score", "difference", "95\u00a0% interval", "p"]
    headings += ["seeds better"] if seeds else []
    rows = []
    for row in table.rows:
        for name in names:
            difference = table.difference(row.name, name)
            if difference is None:
                continue
            tested, better = table.tested(row.name, name), table.better_seeds(row.name, name)
            mark = "*" if table.is_significant(row.name, name) else ""
            cells = [
                row.name,
                table.scores[name],
                f"{100 * difference:+.2f}{mark}",
                "-" if tested is None else f"{100 * tested.low:+.2f} to {100 * tested.high:+.2f}",
                "-" if tested is None else f"{tested.p_value:.3f}",
            ]
            if seeds:
                cells.append("-" if better is None else f"{better[0]} of {better[1]}")
            rows.append([Cell(text) for text in cells])
    return Sheet(
        title=f"Difference to {table.baseline}, in points",
        label=f"{table.on.split}-differences{suffix}",
        headings=headings,
        rows=rows,
        spare=[5, 4] if seeds else [4],
    )
