"""``docre distil``: the logits of a trained model, for a student to learn from."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Literal

from docre.errors import DocreError

OnError = Literal["fail", "fix", "skip"]  # as docre.data.reading has it, which takes time to import


def distil(
    run: Path | None = None,
    documents: Path | None = None,
    output: Path | None = None,
    top_k: int = 16,
    full: bool = False,
    batch_size: int | None = None,
    accelerator: str = "auto",
    precision: str | None = None,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> int:
    """Write the logits of a trained model into a file that a student learns from.

    Training reads it with the teacher docre.distillation.StoredScores and the loss
    docre.losses.LogitDistillation.

    Args:
        run: Folder of the teacher's run, as docre fit printed it.
        documents: File that the student will be trained on, in any format docre reads.
        output: File to write, NAME.arrow.
        top_k: Logits of a pair to keep: the threshold and the highest of the others.
        full: Keep all logits of a pair; at most 2 bytes each.
        batch_size: Documents of a batch; that of the run outside of training if left out.
        accelerator: Where to compute, cpu or gpu; the best there is if left out.
        precision: To compute in, as trainer.precision; that of the run if left out.
        overwrite: Replace a file of another teacher.
        on_error: What to do with documents that are wrong, as where the student reads them:
            DocRED's distant file repeats titles and needs fix.
    """
    if run is None or documents is None or output is None:
        raise DocreError(
            "docre distil needs --run FOLDER, --documents FILE and --output FILE.arrow"
        )
    if output.suffix != ".arrow":
        raise DocreError(f"--output is a file called NAME.arrow, not {output}")
    if top_k < 2:
        raise DocreError(f"--top_k is at least 2, the threshold and one relation, not {top_k}")

    from rich.console import Console

    from docre.data.cache import file_hash
    from docre.distillation.scores import write_scores
    from docre.opened_run import open_run
    from docre.parent import best_checkpoint

    if output.exists() and not overwrite:
        _refuse_another(output, file_hash(best_checkpoint(run)))
    options = [f"--trainer.accelerator={accelerator}"]
    options += [] if precision is None else [f"--trainer.precision={precision}"]
    options += [] if on_error == "fail" else [f"--data.init_args.reading.on_error={on_error}"]
    started = perf_counter()
    opened = open_run(run, documents, options)
    written = write_scores(opened, output, None if full else top_k, batch_size)
    seconds = perf_counter() - started
    kept, of_all = written.header.width, 1 + len(written.header.relations)
    Console().print(
        f"{written.documents:,} documents, {written.pairs:,} pairs, {kept} of {of_all} "
        f"logits of each: {output.stat().st_size / 1e6:,.1f} MB in {seconds:,.1f} s\n"
        f"written to {output}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _refuse_another(output: Path, teacher: str) -> None:
    """Keep a file that is not just an older one of the same teacher."""
    from docre.distillation.store import LogitFile

    try:
        theirs = LogitFile(output).header.teacher
    except DocreError as error:
        raise DocreError(f"{output} is there already; --overwrite replaces it") from error
    if theirs != teacher:
        raise DocreError(f"{output} has the logits of another teacher; --overwrite replaces it")
