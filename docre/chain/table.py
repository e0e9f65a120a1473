"""All stages of a chain in one table: for the terminal, ``stages.md`` and ``stages.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from docre.chain.stages import Chain, references
from docre.chain.state import ChainState, StageState
from docre.readable import duration, epochs, percent

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = {
    "stage": "stage",
    "kind": "kind",
    "status": "status",
    "builds on": "builds_on",
    "epochs (best)": "epochs",
    "dev F1": "dev_f1",
    "dev Ign F1": "dev_ign_f1",
    "test F1": "test_f1",
    "test Ign F1": "test_ign_f1",
    "time": "seconds",
}
_NUMBERS = ("epochs", "dev_f1", "dev_ign_f1", "test_f1", "test_ign_f1", "seconds")


def rows_of(chain: Chain, state: ChainState) -> list[dict[str, Any]]:
    """Return a row for each stage; what is not known is ``None``, scores are fractions."""
    rows = []
    for name, stage in chain.stages.items():
        known = state.stages.get(name) or StageState(kind=stage.kind, inputs={})
        rows.append(
            {
                "stage": name,
                "kind": stage.kind,
                "status": known.status if name in state.stages else "not begun",
                "builds_on": references(stage),
                "epochs": known.epochs,
                "best_epoch": known.best_epoch,
                **{
                    f"{split}_{score}": known.scores.get(split, {}).get(score)
                    for split in ("dev", "test")
                    for score in ("f1", "ign_f1")
                },
                "seconds": round(known.seconds, 1) if known.steps else None,
            }
        )
    return rows


def cells_of(row: dict[str, Any]) -> list[str]:
    """Return a row as people read it, scores in percent."""
    return [_cell(row, key) for key in COLUMNS.values()]


def terminal_table(chain: Chain, rows: list[dict[str, Any]]) -> Table:
    """Return the table for the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"Stages of {chain.name}, scores in percent"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    for heading, key in COLUMNS.items():
        # a word a line, to fit into 80 columns
        table.add_column(
            heading.replace(" ", "\n"),
            justify="right" if key in _NUMBERS else "left",
            no_wrap=key in _NUMBERS or key == "status",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*cells_of(row))
    return table


def write_table(folder: Path, chain: Chain, rows: list[dict[str, Any]]) -> None:
    """Write ``stages.md`` and ``stages.json``, each whole or not at all."""
    from docre.data.writing import atomic_file

    with atomic_file(folder / "stages.json") as file:
        body = {"chain": chain.name, "file": str(chain.path), "stages": rows}
        file.write(msgspec.json.format(msgspec.json.encode(body), indent=1))
    marks = ["---:" if key in _NUMBERS else "---" for key in COLUMNS.values()]
    lines = [list(COLUMNS), marks, *map(cells_of, rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    with atomic_file(folder / "stages.md") as file:
        file.write(f"# {chain.name}\n\n{text}\n\nScores in percent, of the epoch kept.\n".encode())


def _cell(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if key == "builds_on":
        return ", ".join(f"{how} {name}" for how, name in value.items()) or "-"
    if key == "epochs":
        return epochs(value, row["best_epoch"])
    if key == "seconds":
        return duration(value)
    return percent(value) if key in _NUMBERS else str(value)
