"""``docre tune``: the thresholds of a trained model, from its development documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from rich.console import Console

from docre.errors import DocreError


def tune_run(
    run: Path | None = None,
    batch_size: int | None = None,
    accelerator: str = "auto",
    precision: str | None = None,
    console: Console | None = None,
) -> None:
    """Tune the thresholds of a trained model on the dev split of its run.

    A joint model has three, which are tuned one after another; of a pair model the thresholds of
    all pairs are moved by one number. They are kept in thresholds.json in the run folder, and docre
    validate, test and predict take them from there; --model.thresholds.mention and its like, or
    --model.decoder.init_args.shift, count more.

    Args:
        run: Folder of the run, as docre fit printed it.
        batch_size: Documents of a batch; that of the run outside of training if left out.
        accelerator: Where to compute, cpu or gpu; the best there is if left out.
        precision: To compute in, as trainer.precision; that of the run if left out.
        console: Where to print; standard output if left out.

    Raises:
        DocreError: If the run cannot be opened or has nothing to tune on, or the batch size is
            below 1.
    """
    if run is None:
        raise DocreError("docre tune needs a trained model: --run FOLDER")
    if batch_size is not None and batch_size < 1:
        raise DocreError(f"--batch_size must be at least 1, it is {batch_size}")

    from docre.base_model import DocumentModel
    from docre.console import say_line
    from docre.joint_model import JointModel
    from docre.joint_tuning.command import tune_joint
    from docre.opened_run import open_run
    from docre.pair_tuning.command import tune_pairs
    from docre.provenance import provenance
    from docre.thresholds_file import write_thresholds

    console = console or Console()
    options = [f"--trainer.accelerator={accelerator}"]
    options += [] if precision is None else [f"--trainer.precision={precision}"]
    opened = open_run(run, arguments=options, kind=cast(Any, DocumentModel))
    tune = tune_joint if isinstance(opened.model, JointModel) else tune_pairs
    found, why_not = tune(opened, batch_size, console)
    if found is None:
        say_line(console, why_not)
        return
    data = opened.data
    about = {"data": {"module": type(data).__name__, **data.provenance()}, **provenance()}
    written = write_thresholds(run, opened.checkpoint, {**found, **about})
    say_line(console, f"thresholds written to {written}")
