"""The calibration of a run, in a file beside it that says what it was fitted with."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from docre.calibration.base import Calibration
from docre.calibration.fitting import calibration_from_dict
from docre.data.cache import file_hash
from docre.data.checksums import sha256_of
from docre.data.writing import atomic_file
from docre.errors import DocreError

NAME = "calibration.json"
_log = logging.getLogger(__name__)


def write_calibration(
    run: Path, checkpoint: Path, calibration: Calibration, about: dict[str, Any]
) -> Path:
    """Write the file of a run, whole or not at all.

    Args:
        run: Its folder.
        checkpoint: The checkpoint that was calibrated.
        calibration: What was fitted.
        about: What else there is to say.

    Returns:
        The file.
    """
    known = {
        "file": str(checkpoint),
        "xxh3_128": file_hash(checkpoint),
        "sha256": sha256_of(checkpoint),
    }
    body = {"calibration": calibration.to_dict(), **about, "checkpoint": known}
    with atomic_file(run / NAME) as file:
        file.write(msgspec.json.format(msgspec.json.encode(body), indent=1))
    return run / NAME


def read_calibration(
    run: Path, checkpoint: Path, thresholds: Mapping[str, float] | None = None
) -> Calibration | None:
    """Return the calibration of a run, ``None`` if there is none for this checkpoint.

    That of another checkpoint or of other thresholds is not taken, with a warning.

    Args:
        run: Its folder.
        checkpoint: The checkpoint that is used.
        thresholds: Those that margins are counted from; ``None`` for what a pair model learned.

    Raises:
        DocreError: If the file cannot be read.
    """
    path = run / NAME
    if not path.is_file():
        return None
    try:
        known = json.loads(path.read_bytes())
        found = calibration_from_dict(known["calibration"])
        theirs = known["checkpoint"]["xxh3_128"]
    except (ValueError, KeyError, TypeError, DocreError, RecursionError) as error:
        raise DocreError(
            f"{path} cannot be read ({error}): delete it, or run docre calibrate again"
        ) from error
    differing = ""
    if theirs != file_hash(checkpoint):
        differing = f"another checkpoint than {checkpoint}"
    elif known.get("thresholds") != (None if thresholds is None else dict(thresholds)):
        differing = "other thresholds than those of the run"
    if differing:
        _log.warning(
            "%s was fitted to %s and is not used: run docre calibrate again", path, differing
        )
        return None
    return found
