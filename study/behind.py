"""What some tables need behind their trainings: other orders, tuned thresholds, rankings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from study.keep import finished
from study.ranking import write_ranking
from study.tables import RANKED

BEHIND = "_in_row_order"
ROW_ORDER = "--data.init_args.batches.pair_order=row_major"


def finish(table: str, runs: Path) -> int:
    """Do what a table needs behind its trainings; what has been done is not done again.

    Returns:
        The exit status of the first command that failed, or 0.
    """
    if table == "order":
        return _first_failure(score_in_row_order(run) for run in finished(runs / table))
    if table.startswith("joint_"):
        return _first_failure(tune(run) for run in finished(runs / table))
    if table in RANKED:
        for run in finished(runs / table):
            write_ranking(run)
    return 0


def score_in_row_order(run: Path) -> int:
    """Score once more what was trained with gold pairs first, in the order of rows."""
    cell = run.parent
    if not cell.name.endswith("_gold_first"):
        return 0
    target = cell.with_name(f"{cell.name}{BEHIND}") / run.name
    if (target / "scores" / "test.json").exists():
        return 0
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("scores", "*.lock", "last.ckpt"))
    return _docre("test", "--run", str(target), ROW_ORDER)


def tune(run: Path) -> int:
    """Choose the thresholds of a joint model on development documents, and score with them."""
    if (run / "thresholds.json").exists():
        return 0
    return _docre("tune", "--run", str(run)) or _docre("test", "--run", str(run))


def _docre(*words: str) -> int:
    return subprocess.run([sys.executable, "-m", "docre", *words], check=False).returncode


def _first_failure(statuses: Iterator[int]) -> int:
    return next((status for status in statuses if status), 0)
