"""A comparison as Markdown."""

from __future__ import annotations

from docre.comparison.comparison import Comparison
from docre.comparison.sheets import Cell, Sheet, sheets_of
from docre.markdown_text import plain, table


def markdown(comparison: Comparison) -> str:
    """Return the tables of a comparison with their notes."""
    return "\n".join(_sheet(sheet) for sheet in sheets_of(comparison))


def _sheet(sheet: Sheet) -> str:
    rows = [[_cell(cell) for cell in row] for row in sheet.rows]
    written = table([plain(heading) for heading in sheet.headings], rows, numbers=True)
    notes = "".join(f"* {plain(note)}\n" for note in (*sheet.notes, *sheet.remarks))
    return f"**{plain(sheet.title)}**\n\n{written}\n" + (f"\n{notes}" if notes else "")


def _cell(cell: Cell) -> str:
    text = plain(cell.text)
    text = f"**{text}**" if cell.is_best else text
    return f"{text} ± {cell.spread}" if cell.spread else text
