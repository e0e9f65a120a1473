"""A comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from docre.comparison.comparison import Comparison
from docre.comparison.sheets import Cell, Sheet, sheets_of

if TYPE_CHECKING:
    from rich.console import RenderableType


def terminal_tables(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield tables and the notes below them."""
    from rich.text import Text

    for sheet in sheets_of(comparison):
        yield _table(sheet)
        for note in sheet.notes:
            yield Text(f"- {note}")


def _table(sheet: Sheet) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    title = escape(sheet.title)
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for number, heading in enumerate(sheet.headings):
        # a word a line, to fit into 80 columns
        justify = "right" if number else "left"
        text = heading.replace(" ", "\n")
        table.add_column(text, justify=justify, no_wrap=bool(number), overflow="fold")  # type: ignore[arg-type]
    for row in sheet.rows:
        table.add_row(*map(_cell, row))
    return table


def _cell(cell: Cell) -> RenderableType:
    from rich.text import Text

    text = Text(cell.text, "bold" if cell.is_best else "")
    return text.append(f"\n±{cell.spread}", "not bold") if cell.spread else text
