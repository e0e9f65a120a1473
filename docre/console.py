"""Lines that commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def say_line(console: Console, line: str) -> None:
    """Print a line as it stands: brackets are no markup, and it is never broken."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
