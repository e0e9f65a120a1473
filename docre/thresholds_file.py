"""The tuned thresholds of a run, in a file beside it that says what they were tuned with."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from docre.data.cache import file_hash
from docre.data.checksums import sha256_of
from docre.data.writing import atomic_file
from docre.errors import DocreError
from docre.joint.thresholds import JointThresholds

NAME = "thresholds.json"
_log = logging.getLogger(__name__)


def write_thresholds(run: Path, checkpoint: Path, body: dict[str, Any]) -> Path:
    """Write the file of a run, whole or not at all.

    Args:
        run: Its folder.
        checkpoint: The checkpoint that the thresholds belong to.
        body: The thresholds under their names, and what else there is to say.

    Returns:
        The file.
    """
    known = {
        "file": str(checkpoint),
        "xxh3_128": file_hash(checkpoint),
        "sha256": sha256_of(checkpoint),  # as files of scores name it
    }
    with atomic_file(run / NAME) as file:
        text = msgspec.json.encode({**body, "checkpoint": known})
        file.write(msgspec.json.format(text, indent=1))
    return run / NAME


def read_thresholds(run: Path, checkpoint: Path) -> dict[str, float] | None:
    """Return the tuned thresholds of a run, ``None`` if there are none for this checkpoint.

    A joint model has three of them by name, a pair model a ``shift`` of all its pairs' thresholds.

    Those of another checkpoint are not taken, with a warning.

    Raises:
        DocreError: If the file cannot be read.
    """
    path = run / NAME
    if not path.is_file() or not checkpoint.is_file():
        return None
    try:
        known = json.loads(path.read_bytes())
        names = ("shift",) if "shift" in known else tuple(asdict(JointThresholds()))
        found = {name: float(known[name]) for name in names}
        theirs = known["checkpoint"]["xxh3_128"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DocreError(
            f"{path} cannot be read ({error}): delete it, or run docre tune again"
        ) from error
    if theirs != file_hash(checkpoint):
        _log.warning(
            "%s was tuned for another checkpoint than %s and is not used: run docre tune again",
            path,
            checkpoint,
        )
        return None
    return found


def threshold_options(run: Path, checkpoint: Path) -> list[str]:
    """Return the tuned thresholds of a run as options of docre, if there are any.

    Raises:
        DocreError: If the file cannot be read.
    """
    found = read_thresholds(run, checkpoint) or {}
    place = "decoder.init_args" if "shift" in found else "thresholds"
    return [f"--model.{place}.{name}={value!r}" for name, value in found.items()]
