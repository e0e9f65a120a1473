"""What the runs of a chain came to, read from their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

_SHOWN = ("f1", "ign_f1")


def score_stamps(run: Path) -> dict[str, int]:
    """Return the score files of a run, each with the time it was written."""
    files = (run / "scores").glob("*.json")
    # SPLIT.json; SPLIT.something.json goes into detail
    return {path.name: path.stat().st_mtime_ns for path in files if "." not in path.stem}


def new_scores(run: Path, before: Mapping[str, int]) -> dict[str, dict[str, float | None]]:
    """Return F1 and Ign F1 by split, of the score files that were written since.

    Args:
        run: Folder of the run.
        before: Its score files before.
    """
    found = {}
    for name, stamp in sorted(score_stamps(run).items()):
        if before.get(name) != stamp:
            body = json.loads((run / "scores" / name).read_text(encoding="utf-8"))
            scores = body["scores"]
            found[str(body.get("split", Path(name).stem))] = {
                key: scores.get(key) for key in _SHOWN
            }
    return found


def epochs_of(run: Path) -> tuple[int | None, int | None]:
    """Return how many epochs a run was trained, and the one that was kept, counted from one.

    Raises:
        DocreError: If a checkpoint is damaged.
    """
    from docre.parent import read_checkpoint

    found: list[int | None] = []
    for name in ("last.ckpt", "best.ckpt"):
        path = run / "checkpoints" / name
        # mapped: the weights are not read
        known = read_checkpoint(path, mmap=True) if path.exists() else None
        found.append(None if known is None else int(known["epoch"]) + 1)
    return found[0], found[1]


def has_development_split(run: Path) -> bool:
    """Return whether the data of a run have a development split."""
    known = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return "dev" in known["data"]
