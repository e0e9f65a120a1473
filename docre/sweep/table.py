"""What has become of each run, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from docre.chain.state import StageState
from docre.readable import duration, epochs, percent
from docre.sweep.work import RunWork

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("run", "status", "epochs (best)", "dev F1", "test F1", "wall")


def cells_of(work: RunWork) -> tuple[str, ...]:
    """Return the row of a run, scores in percent."""
    known = work.state or StageState(kind="fit", inputs={})
    return (
        work.run.name,
        work.status,
        epochs(known.epochs, known.best_epoch),
        *(percent(known.scores.get(split, {}).get("f1")) for split in ("dev", "test")),
        duration(known.seconds if known.steps else None),
    )


def terminal_table(name: str, works: Iterable[RunWork]) -> Table:
    """Return the table of all runs of a sweep."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=f"Runs of {name}", box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0)
    )
    for heading in COLUMNS:
        words = heading in COLUMNS[:2]
        # a word a line, to fit into 80 columns
        table.add_column(
            heading.replace(" ", "\n"), justify="left" if words else "right", overflow="fold"
        )
    for work in works:
        table.add_row(*cells_of(work))
    return table
