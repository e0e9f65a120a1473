"""``docre export``: a folder that is the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def export(
    run: Path, out: Path, overwrite: bool = False, allow: Sequence[str] | None = None
) -> None:
    """Write a folder that is the model: weights, label map, tokenizer, calibration, card.

    The folder is all that predicting needs. It is loaded without running or unpickling anything,
    and can be put on a model hub as it is.

    Args:
        run: Run folder of docre fit, or a checkpoint in one; its tuned thresholds, its calibration
            and the scores of docre test are taken along.
        out: Folder to write.
        overwrite: Replace an older folder of docre export.
        allow: Packages beside docre whose classes the model may be made of.

    Raises:
        DocreError: If the run cannot be read, or something else is in the place of the folder.
    """
    from rich.console import Console

    from docre.console import say_line
    from docre.hub.contents import read_model
    from docre.hub.saving import require_place, save_pretrained
    from docre.quiet import be_quiet

    be_quiet()
    require_place(out, overwrite)
    contents = read_model(run, allow=allow or ())
    save_pretrained(contents, out, overwrite=overwrite)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    lines = [f"written to {out}: {size / 1e6:,.1f} MB"]
    if contents.calibration is None:
        lines.append(f"probabilities are not calibrated: docre calibrate --run {run}")
    if not contents.facts.get("scores"):
        lines.append(f"the card has no scores: docre test --run {run}")
    for line in lines:
        say_line(Console(), line)
