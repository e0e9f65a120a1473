"""``docre calibrate``: probabilities for the triples of a run, from its development documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

from docre.errors import DocreError


def calibrate(
    run: Path | None = None,
    method: Literal["isotonic", "temperature"] = "isotonic",
    batch_size: int | None = None,
    accelerator: str = "auto",
    precision: str | None = None,
) -> None:
    """Fit how probable it is that a predicted triple is right, on the dev split of a run.

    The curve is kept in calibration.json in the run folder, with a picture beside it, and goes into
    what docre export writes. A joint model is to be tuned before it is calibrated.

    Args:
        run: Folder of the run, as docre fit printed it.
        method: isotonic is any curve that never falls and needs some hundred right triples;
            temperature is one number.
        batch_size: Documents of a batch; that of the run outside of training if left out.
        accelerator: Where to compute, cpu or gpu; the best there is if left out.
        precision: To compute in, as trainer.precision; that of the run if left out.

    Raises:
        DocreError: If the run cannot be opened or has nothing to calibrate on, or the batch size is
            below 1.
    """
    if run is None:
        raise DocreError("docre calibrate needs a trained model: --run FOLDER")
    if batch_size is not None and batch_size < 1:
        raise DocreError(f"--batch_size must be at least 1, it is {batch_size}")

    from rich.console import Console

    from docre.base_model import DocumentModel
    from docre.calibration.file import write_calibration
    from docre.calibration.in_run import about, draw
    from docre.calibration.judged import Fold, judge
    from docre.calibration.report import cross_fit, fit_fold, table_of
    from docre.console import say_line
    from docre.opened_run import open_run

    options = [f"--trainer.accelerator={accelerator}"]
    options += [] if precision is None else [f"--trainer.precision={precision}"]
    opened = open_run(run, arguments=options, kind=cast(Any, DocumentModel))
    folds = judge(opened, batch_size)
    found = cross_fit(method, folds)
    console = Console()
    console.print(table_of(found))
    say_line(
        console,
        f"{len(found.correct):,} predicted triples, {int(found.correct.sum()):,} of them right; "
        "each half of the documents is judged by what was fitted to the other half",
    )
    calibration = fit_fold(method, Fold.joined(folds))
    written = write_calibration(run, opened.checkpoint, calibration, about(opened, found))
    picture = draw(run, found)
    say_line(console, f"calibration written to {written}, its picture to {picture}")
