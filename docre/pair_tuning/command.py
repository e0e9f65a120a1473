"""What ``docre tune`` does for a pair model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from docre.pair_tuning.shift import TunedShift
from docre.pair_tuning.tune import tune_shift

if TYPE_CHECKING:
    from docre.opened_run import OpenedRun


def tune_pairs(
    opened: OpenedRun, batch_size: int | None, console: Console
) -> tuple[dict[str, Any] | None, str]:
    """Tune the shift of a pair model, and show what it changes.

    Returns:
        What is to be written, or nothing and why.
    """
    before: float = opened.model.decoder.shift
    tuned = tune_shift(opened, batch_size)
    shift = before + tuned.shift
    console.print(_table(before, shift, tuned))
    if tuned.after.f1 <= tuned.before.f1:
        return None, "no shift of the thresholds has a better F1: nothing is written"
    scores = {"f1_before": tuned.before.to_dict(), "f1": tuned.after.to_dict()}
    return {"shift": shift, "before": {"shift": before}, **scores}, ""


def _table(before: float, after: float, tuned: TunedShift) -> Table:
    table = Table(title="Dev, in percent", box=SIMPLE_HEAD, title_justify="left")
    for name in ("shift of the thresholds", "F1", "precision", "recall"):
        table.add_column(name, justify="right", no_wrap=True)
    for shift, rates in ((before, tuned.before), (after, tuned.after)):
        scores = (rates.f1, rates.precision, rates.recall)
        table.add_row(f"{shift:.4g}", *(f"{100 * score:.2f}" for score in scores))
    return table
