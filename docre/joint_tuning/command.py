"""``docre tune``: the thresholds of a joint model, from its development documents."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from docre.errors import DocreError


def tune_run(
    run: Path | None = None,
    batch_size: int | None = None,
    accelerator: str = "auto",
    precision: str | None = None,
    console: Console | None = None,
) -> None:
    """Tune the thresholds of a joint model on the dev split of its run.

    They are kept in thresholds.json in the run folder, and docre validate, test and predict --run
    take them from there; --model.thresholds.mention and its like count more.

    Args:
        run: Folder of the run, as docre fit printed it.
        batch_size: Documents of a batch; that of the run outside of training if left out.
        accelerator: Where to compute, cpu or gpu; the best there is if left out.
        precision: To compute in, as trainer.precision; that of the run if left out.
        console: Where to print; standard output if left out.

    Raises:
        DocreError: If the run cannot be opened, is not of a joint model, or has nothing to tune on,
            or the batch size is below 1.
    """
    if run is None:
        raise DocreError("docre tune needs a trained joint model: --run FOLDER")
    if batch_size is not None and batch_size < 1:
        raise DocreError(f"--batch_size must be at least 1, it is {batch_size}")

    from docre.joint_model import JointModel
    from docre.joint_tuning.dev_split import DevSplit
    from docre.joint_tuning.table import tuning_table
    from docre.joint_tuning.thresholds_file import write_thresholds
    from docre.joint_tuning.tune import tune
    from docre.opened_run import open_run
    from docre.provenance import provenance

    console = console or Console()
    options = [f"--trainer.accelerator={accelerator}"]
    options += [] if precision is None else [f"--trainer.precision={precision}"]
    opened = open_run(run, arguments=options, kind=JointModel)
    tuned = tune(DevSplit(opened, batch_size))
    console.print(tuning_table(tuned))
    if not tuned.is_better:
        _say(
            console,
            f"{tuned.levels[-1]}_f1 is lower with the tuned thresholds, which are the best of each "
            "head for itself: nothing is written",
        )
        return
    data = opened.data
    about = {"data": {"module": type(data).__name__, **data.provenance()}, **provenance()}
    written = write_thresholds(run, opened.checkpoint, {**tuned.to_dict(), **about})
    _say(console, f"thresholds written to {written}")


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
