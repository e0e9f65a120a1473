"""Speed and memory of kept runs, from their logs."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, median

from docre.comparison.rows import ComparedRow


def scalars(folder: Path, tag: str) -> list[float]:
    """Return the values of a scalar in the log of a run, in order."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return [
        value.simple_value
        for path in sorted(folder.glob("events.out.tfevents.*"))
        for event in LegacyEventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == tag and value.WhichOneof("value") == "simple_value"
    ]


def speed(row: ComparedRow) -> float | None:
    """Return documents a second in training, the median over a run, on average over runs."""
    each = [scalars(run.run.folder, "throughput/documents") for run in row.runs]
    return fmean(median(values) for values in each) if all(each) else None


def peak_memory(row: ComparedRow) -> float | None:
    """Return the most memory of a training, in 10^9 bytes, on average over runs."""
    each = [scalars(run.run.folder, "memory/peak_gb") for run in row.runs]
    return fmean(max(values) for values in each) if all(each) else None
