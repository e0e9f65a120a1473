"""A comparison in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from docre.comparison.comparison import Comparison
from docre.comparison.sheets import Cell, Sheet, sheets_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_NAME = 20  # letters that a name has at least, if it has so many
_GAP = 2  # between columns


def terminal_tables(comparison: Comparison, width: int = 80) -> Iterator[RenderableType]:
    """Yield tables and the notes below them.

    Args:
        comparison: What was compared.
        width: Of the terminal; columns that do not fit are left out, which a note says.
    """
    from rich.text import Text

    for sheet in sheets_of(comparison):
        left_out = _too_wide(sheet, width)
        yield _table(sheet, left_out)
        if left_out:
            names = ", ".join(sheet.headings[number] for number in sorted(left_out))
            yield Text(f"- no room for: {names}; --markdown has all, --scores chooses")
        for note in (*sheet.notes, *sheet.remarks):
            yield Text(f"- {note}")


def _too_wide(sheet: Sheet, width: int) -> set[int]:
    """Return the columns to be left out, as few as can be."""
    each = [_widths(column) for column in zip(sheet.headings, *sheet.rows, strict=True)]
    widths = [min(_NAME, max(each[0])), *map(max, each[1:])]
    left_out: set[int] = set()
    room = width - 1 - sum(widths) - _GAP * len(widths)
    for number in sheet.spare:
        if room >= 0:
            break
        left_out.add(number)
        room += widths[number] + _GAP
    return left_out


def _widths(column: tuple[str | Cell, ...]) -> list[int]:
    from rich.cells import cell_len

    words = [word for part in column if isinstance(part, str) for word in part.split(" ")]
    cells = [part for part in column if isinstance(part, Cell)]
    return [*map(cell_len, words), *(max(cell_len(c.text), len(c.spread) + 1) for c in cells)]


def _table(sheet: Sheet, left_out: set[int]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    title = escape(sheet.title)
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    longest = max((len(row[0].text) for row in sheet.rows), default=0)
    table.add_column(sheet.headings[0], min_width=min(_NAME, longest), overflow="fold")
    for number, heading in enumerate(sheet.headings[1:], 1):
        if number not in left_out:
            # a word a line, to fit into 80 columns
            table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in sheet.rows:
        table.add_row(*(_text(c) for number, c in enumerate(row) if number not in left_out))
    return table


def _text(cell: Cell) -> Text:
    from rich.text import Text

    text = Text(cell.text, "bold" if cell.is_best else "")
    return text.append(f"\n±{cell.spread}", "not bold") if cell.spread else text
