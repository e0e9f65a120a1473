"""Training what a table is made of, with ``docre sweep``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic

from docre.sweep.sweep_file import read_sweep
from study.behind import finish
from study.encoder import keep_encoder_of
from study.keep import keep
from study.page import render
from study.places import RUNS, SMALL_FOLDER, SWEEPS, corpora
from study.prepare import prepare
from study.tables import GRIDS, LENGTHS, TABLES, small_cells
from study.teaching import label

# what begins with MiniLM as it comes
FROM_MINILM = ("atlop", "encoder", "joint_cdr", "joint_redocred")
# the smoke run: as the real one, but 60 documents of each split and 2 epochs
SMALL = ("data.init_args.reading.limit=60", "trainer.max_epochs=2")


def run(row: str, jobs: int) -> int:
    """Train a table, or one row of it, and keep what has finished.

    Args:
        row: ``TABLE`` or ``TABLE/CELL``.
        jobs: Trainings at a time.

    Returns:
        The exit status of the sweep.
    """
    table, _, cell = row.partition("/")
    if table not in tables():
        raise SystemExit(f"no such table: {table}; there are {', '.join(tables())}")
    prepare()
    before(table)
    status = _sweep(table, "--jobs", str(jobs), *(["--cells", cell] if cell else []))
    status = finish(table, RUNS) or status
    print(f"{keep(table)} finished runs of {table} are in study/runs")
    return status


def before(table: str, limit: int | None = None) -> None:
    """Make what a table begins with: its encoder, documents that a teacher labels.

    Args:
        table: Name of the table.
        limit: Label only so many documents.
    """
    if table == "control":
        keep_encoder_of("s_pu")
    elif table not in FROM_MINILM:
        keep_encoder_of("encoder")
    if table == "pretrain":
        label(limit)


def small(folder: Path = SMALL_FOLDER) -> int:
    """Train at least one row of each table in little, to see that all of it runs.

    All of it happens in a folder of its own, so nothing is taken for a result.
    """
    os.environ["DOCRE_DATA"] = str(corpora().resolve())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)
    prepare()
    begun = monotonic()
    for table in tables():
        before(table, limit=60)
        cells = [cell.name for cell in read_sweep(SWEEPS / f"{table}.yaml").cells]
        for cell in small_cells(table):
            # runs are numbered seed by seed: this is the first one of the cell
            number = str(1 + cells.index(cell))
            status = _sweep(table, "--only", number, "--set", *SMALL)
            if status:
                return status
        if status := finish(table, RUNS):
            return status
    names = [name for name in TABLES if TABLES[name].scores != LENGTHS]  # of all 100 documents
    names += GRIDS
    shown = "\n\n".join(f"## {name}\n\n{render(name, RUNS.resolve())}" for name in names)
    Path("results.md").write_text(f"# Smoke run: 60 documents, 2 epochs. No results.\n\n{shown}")
    print(f"{folder / 'results.md'}, after {(monotonic() - begun) / 60:.0f} minutes")
    return 0


def _sweep(table: str, *words: str) -> int:
    file = SWEEPS / f"{table}.yaml"
    command = [sys.executable, "-m", "docre", "sweep", str(file), "--runs", str(RUNS), *words]
    return subprocess.run(command, check=False).returncode


def tables() -> list[str]:
    """Return the names of all sweeps of the page."""
    return list(dict.fromkeys(table.sweep for table in TABLES.values()))
