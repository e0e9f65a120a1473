"""What tuning did, as a table."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from docre.joint_tuning.tune import Tuned

# which threshold is chosen by each score
_CHOSEN_BY = {"mention": "mention", "coreference": "coreference", "relation_strict": "relation"}


def tuning_table(tuned: Tuned) -> Table:
    """Return a row for each level: threshold and F1, before and after."""
    table = Table(title="Dev, F1 in percent", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for name in ("threshold", "tuned", "F1", "tuned F1"):
        table.add_column(name, justify="right", no_wrap=True)
    before, after = tuned.f1_before, tuned.f1_after
    for level in tuned.levels:
        thresholds = ["", ""]
        if level in _CHOSEN_BY:
            both = (getattr(each, _CHOSEN_BY[level]) for each in (tuned.before, tuned.after))
            thresholds = [f"{threshold:.4g}" for threshold in both]
        scores = [f"{100 * each[level]:.2f}" for each in (before, after)]
        table.add_row(level.replace("_", " "), *thresholds, *scores)
    return table
