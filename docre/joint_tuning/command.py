"""What ``docre tune`` does for a joint model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

from docre.joint_tuning.dev_split import DevSplit
from docre.joint_tuning.table import tuning_table
from docre.joint_tuning.tune import tune

if TYPE_CHECKING:
    from docre.opened_run import OpenedRun


def tune_joint(
    opened: OpenedRun, batch_size: int | None, console: Console
) -> tuple[dict[str, Any] | None, str]:
    """Tune the thresholds of a joint model, and show what they change.

    Returns:
        What is to be written, or nothing and why.
    """
    tuned = tune(DevSplit(opened, batch_size))
    console.print(tuning_table(tuned))
    if not tuned.is_better:
        return None, (
            f"{tuned.levels[-1]}_f1 is lower with the tuned thresholds, which are the best of each "
            "head for itself: nothing is written"
        )
    return tuned.to_dict(), ""
