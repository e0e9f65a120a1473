"""A comparison as tables of cells, before it is written as text of any kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from docre.comparison.columns import compared
from docre.comparison.comparison import Comparison, ComparisonTable
from docre.comparison.rows import ComparedRow


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Args:
        text: What it says.
        spread: Standard deviation, if there is one.
        is_best: Whether it stands out.
    """

    text: str
    spread: str = ""
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as people read it; the first column has names, the others numbers.

    Args:
        title: What it shows.
        headings: Of the columns.
        rows: Cells of each row.
        notes: What stands below it.
    """

    title: str
    headings: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


def sheets_of(comparison: Comparison) -> list[Sheet]:
    """Return the scores of each table, and the differences to its baseline."""
    sheets = []
    for number, table in enumerate(comparison.tables):
        made = [_scores(table)]
        if len(table.rows) > 1 and table.baseline is not None:
            made.append(_differences(table))
        made[-1].notes.extend(table.notes)
        if number == 0:
            made[-1].notes.extend(comparison.notes)
        sheets += made
    return sheets


def _scores(table: ComparisonTable) -> Sheet:
    title = f"Scores in percent: {table.on}"
    if table.apart:
        title += f". Not comparable with the first table: {'; '.join(table.apart)}"
    scores = table.scores
    timed = any(row.seconds is not None for row in table.rows)
    headings = ["", "runs", *scores.values(), *(["time"] if timed else [])]
    rows = []
    for row in table.rows:
        cells = [Cell(row.name), Cell(str(len(row.runs)))]
        cells += [_score(table, row, name) for name in scores]
        rows.append([*cells, *([Cell(_time(row.seconds))] if timed else [])])
    return Sheet(title, headings, rows)


def _score(table: ComparisonTable, row: ComparedRow, name: str) -> Cell:
    mean, sd = row.mean(name), row.sd(name)
    if mean is None:
        return Cell("-")
    spread = "" if sd is None else f"{100 * sd:.2f}"
    return Cell(f"{100 * mean:.2f}", spread, table.is_best(row.name, name))


def _differences(table: ComparisonTable) -> Sheet:
    names = [name for name in compared(table.on.task) if name in table.scores]
    seeds = any(len(row.runs) > 1 for row in table.rows)
    headings = [
        "",
        "score",
        "difference",
        "95\u00a0% interval",
        "p",
        *(["seeds better"] if seeds else []),
    ]
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
    return Sheet(f"Difference to {table.baseline}, in points", headings, rows)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
