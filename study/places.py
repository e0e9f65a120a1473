"""Where things are: corpora outside of the repository, what is made of them, runs, kept runs."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SWEEPS = REPOSITORY / "cli_configs" / "results"
KEPT = REPOSITORY / "study" / "runs"
DATA = Path("data/results")
RUNS = Path("runs/results")
# the encoders that pair systems begin with, by the cell of the encoder table that made them
ENCODERS = {"encoder": DATA / "encoder", "s_pu": DATA / "encoder_s_pu"}
WEIGHTS = "model.safetensors"
SMALL_FOLDER = Path("runs/results_small")


def corpora() -> Path:
    """Return the folder of the corpora: that of ``DOCRE_DATA``, or ``../shared/data``.

    Raises:
        SystemExit: If there is none.
    """
    folder = Path(os.environ.get("DOCRE_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        raise SystemExit(
            f"no corpora in {folder}: put redocred/, docred/, cdr/ and chemdisgene/ into a folder "
            "and name it in DOCRE_DATA (docs/results.md says which files)"
        )
    return folder
