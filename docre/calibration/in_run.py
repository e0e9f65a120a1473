"""What a calibration leaves in the folder of its run, beside the curve itself."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from docre.calibration.report import CrossFit, reliability_plot
from docre.data.writing import atomic_file
from docre.opened_run import OpenedRun
from docre.provenance import provenance


def about(opened: OpenedRun, found: CrossFit) -> dict[str, Any]:
    """Return what the file of a calibration says beside the curve."""
    data = opened.data
    thresholds = getattr(opened.model, "thresholds", None)
    return {
        "thresholds": None if thresholds is None else asdict(thresholds),
        "measures": found.to_dict(),
        "data": {"module": type(data).__name__, **data.provenance()},
        **provenance(),
    }


def draw(run: Path, found: CrossFit) -> Path:
    """Draw what calibration changed, into the folder of the run."""
    path = run / "calibration.png"
    with atomic_file(path) as file:
        reliability_plot(found).savefig(file, format="png", dpi=150)
    return path
