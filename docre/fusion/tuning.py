"""The threshold of a run: tuned on its dev split, once."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from docre.fusion.fuse import tune_threshold
from docre.fusion.report import say
from docre.fusion.threshold_file import settings_of, store_threshold, stored_threshold
from docre.fusion.two_readings import TwoReadings, read_twice
from docre.opened_run import OpenedRun


def tuned_threshold(
    opened: OpenedRun, path: Path, top_k: int, reach: float, console: Console
) -> tuple[float, TwoReadings | None]:
    """Return the threshold of a run, and its dev split as it was read if it had to be tuned.

    Args:
        opened: The run with its own data.
        path: Where the threshold is kept.
        top_k: Columns of a pair that are looked at.
        reach: See :func:`docre.fusion.pseudo_documents.evidence_sets`.
        console: Where to say what is done.

    Raises:
        DocreError: If the run has no labelled dev split.
    """
    settings = settings_of(opened, top_k, reach)
    known, said = stored_threshold(path, settings)
    if known is not None:
        say(console, said)
        return known, None
    say(console, f"{said}: tuning the threshold on dev")
    readings = read_twice(opened, "dev", top_k, reach)
    threshold = tune_threshold(readings.fused, readings.documents)
    store_threshold(path, threshold, settings)
    say(console, f"threshold {threshold:.4f}, written to {path}")
    return threshold, readings
