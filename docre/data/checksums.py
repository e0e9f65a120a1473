"""SHA-256 of data files, remembered so that a large file is not read again on every start."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is remembered of a file, next to it in ``.NAME.sha256.json``.

    Args:
        sha256: Checksum of the file as it was when last read.
        size: Its size in bytes then.
        mtime_ns: Its time of change then.
        recorded: First checksum ever seen of a file whose official one is unknown.
    """

    sha256: str
    size: int
    mtime_ns: int
    recorded: str | None = None


def sha256_of(path: Path) -> str:
    """Read a file and return its SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, read anew only if its size or time of change differ."""
    return _current(path).sha256


def record(path: Path) -> str:
    """Remember the current checksum as the one this file must keep, and return it."""
    current = _current(path)
    _write(path, replace(current, recorded=current.sha256))
    return current.sha256


def recorded(path: Path) -> str | None:
    """Return the checksum that :func:`record` remembered, ``None`` if it never did."""
    known = _read(path)
    return known.recorded if known else None


def sidecar(path: Path) -> Path:
    """Return where the checksum of a file is remembered."""
    return path.with_name(f".{path.name}.sha256.json")


def _current(path: Path) -> Sidecar:
    state = path.stat()  # from before reading: a change meanwhile then counts as a change
    known = _read(path)
    if known and (known.size, known.mtime_ns) == (state.st_size, state.st_mtime_ns):
        return known
    first = known.recorded if known else None
    current = Sidecar(sha256_of(path), state.st_size, state.st_mtime_ns, first)
    _write(path, current)
    return current


def _read(path: Path) -> Sidecar | None:
    """Return what is remembered of a file; a broken sidecar counts as none."""
    try:
        raw = json.loads(sidecar(path).read_bytes())
        return Sidecar(raw["sha256"], raw["size"], raw["mtime_ns"], raw["recorded"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(path: Path, content: Sidecar) -> None:
    target = sidecar(path)
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        part.unlink(missing_ok=True)  # a link there is not followed
        part.write_text(json.dumps(asdict(content)), encoding="utf-8")
        part.replace(target)
    except OSError as error:
        # A read-only data folder is fine: the file is then read again next time.
        _log.debug("%s is not remembered: %s", path, error)
