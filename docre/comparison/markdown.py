"""A comparison as Markdown."""

from __future__ import annotations

from docre.comparison.comparison import Comparison
from docre.comparison.sheets import Cell, Sheet, sheets_of

_SPECIAL = str.maketrans({c: f"\\{c}" for c in r"\`*_{}[]<>#|~$"})


def markdown(comparison: Comparison) -> str:
    """Return the tables of a comparison with their notes."""
    return "\n".join(_sheet(sheet) for sheet in sheets_of(comparison))


def _sheet(sheet: Sheet) -> str:
    lines = [
        [_escaped(heading) for heading in sheet.headings],
        ["---", *["---:"] * (len(sheet.headings) - 1)],
        *([_cell(cell) for cell in row] for row in sheet.rows),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = "".join(f"* {_escaped(note)}\n" for note in sheet.notes)
    return f"**{_escaped(sheet.title)}**\n\n{table}\n" + (f"\n{notes}" if notes else "")


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    text = f"**{text}**" if cell.is_best else text
    return f"{text} ± {cell.spread}" if cell.spread else text


def _escaped(text: str) -> str:
    return " ".join(text.translate(_SPECIAL).split())
