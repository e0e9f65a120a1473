"""What some tables need behind their trainings: orders, thresholds, rankings, reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from study.keep import finished, is_joint, is_tuned
from study.ranking import write_ranking
from study.shares import write_share
from study.tables import RANKED, READ

# what is trained in an order is scored in the other one too: the ending of its cell, and the order
_OTHER = {
    "_gold_first": ("_in_row_order", "row_major"),
    "_row_order": ("_in_gold_first", "gold_first"),
}


def finish(table: str, runs: Path) -> int:
    """Do what a table needs behind its trainings; what has been done is not done again.

    Returns:
        The exit status of the first command that failed, or 0.
    """
    if table in READ:
        for run in finished(runs / table):
            write_share(run)
    if table == "order":
        return _first_failure(score_in_other_order(run) for run in finished(runs / table))
    if is_joint(table):
        return _first_failure(tune(run) for run in finished(runs / table))
    if table in RANKED:
        for run in finished(runs / table):
            write_ranking(run)
    return 0


def trained_cell(cell: str) -> str:
    """Return the cell whose training a cell is scored from, most often itself."""
    for mine, (behind, _) in _OTHER.items():
        if cell.endswith(f"{mine}{behind}"):
            return cell.removesuffix(behind)
    return cell


def score_in_other_order(run: Path) -> int:
    """Score what was trained with gold pairs first in the order of rows, and the other way."""
    cell = run.parent
    ending = next((ending for ending in _OTHER if cell.name.endswith(ending)), None)
    if ending is None or trained_cell(cell.name) != cell.name:
        return 0
    behind, order = _OTHER[ending]
    target = cell.with_name(f"{cell.name}{behind}") / run.name
    if (target / "scores" / "test.json").exists():
        return 0
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("scores", "*.lock", "last.ckpt"))
    return _docre("test", "--run", str(target), f"--data.init_args.batches.pair_order={order}")


def tune(run: Path) -> int:
    """Choose the thresholds of a joint model on development documents, and score with them."""
    if is_tuned(run):
        return 0
    return _docre("tune", "--run", str(run)) or _docre("test", "--run", str(run))


def _docre(*words: str) -> int:
    return subprocess.run([sys.executable, "-m", "docre", *words], check=False).returncode


def _first_failure(statuses: Iterator[int]) -> int:
    return next((status for status in statuses if status), 0)
