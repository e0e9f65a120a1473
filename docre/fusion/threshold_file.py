"""The tuned threshold of a run, kept beside it with everything it was tuned with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from docre.data.cache import file_hash
from docre.data.writing import atomic_file
from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.opened_run import OpenedRun

Settings = dict[str, Any]


def settings_of(opened: OpenedRun, top_k: int, reach: float) -> Settings:
    """Return what a tuned threshold depends on.

    Args:
        opened: The run with its own data.
        top_k: Columns of a pair that are looked at.
        reach: Of the fusion; infinite ones are ``None``, as JSON has no other way.

    Raises:
        DocreError: If the run has no dev file.
    """
    if "dev" not in opened.data.files:
        raise DocreError("the run has no dev file to tune the fusion on: give --threshold")
    return {
        "checkpoint_xxh3_128": file_hash(opened.checkpoint),
        "dev_xxh3_128": file_hash(opened.data.files["dev"]),
        "dev_limit": opened.data.reading.limit,
        "top_k": top_k,
        "reach": reach if math.isfinite(reach) else None,
        "evidence_share": opened.model.evidence_share,
        "decoder": type(opened.model.decoder).__name__,
    }


def stored_threshold(path: Path, settings: Settings) -> tuple[float | None, str]:
    """Return the threshold a file has for these settings, and what is to be said about it.

    The threshold is ``None`` where it has to be tuned: the file is not there, cannot be read or was
    made with other settings.
    """
    try:
        known = json.loads(path.read_bytes())
        threshold = float(known["threshold"])
    except FileNotFoundError:
        return None, f"there is no {path} yet"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, f"{path} cannot be read"
    changed = [name for name, value in settings.items() if known.get(name, path) != value]
    if changed:
        return None, f"{path} was made with another {', '.join(changed)}"
    return threshold, f"threshold {threshold:.4f} from {path}"


def store_threshold(path: Path, threshold: float, settings: Settings) -> None:
    """Write the file, whole or not at all."""
    body = {"threshold": threshold, **settings}
    with atomic_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(body), indent=1))
