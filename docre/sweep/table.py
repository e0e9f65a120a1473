"""What has become of each run, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from docre.chain.state import StageState
from docre.sweep.work import RunWork

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("run", "status", "epochs (best)", "dev F1", "test F1", "time")


def cells_of(work: RunWork) -> tuple[str, ...]:
    """Return the row of a run, scores in percent."""
    known = work.state or StageState(kind="fit", inputs={})
    return (
        work.run.name,
        work.status,
        _epochs(known),
        *(_percent(known.scores.get(split, {}).get("f1")) for split in ("dev", "test")),
        duration(known.seconds) if known.steps else "-",
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


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _epochs(known: StageState) -> str:
    if known.epochs is None:
        return "-"
    best = known.best_epoch
    return str(known.epochs) if best is None else f"{known.epochs} ({best})"


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{100 * score:.2f}"
