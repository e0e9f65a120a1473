"""Official files, fetched once, checked always.

A file that is present is checked and used without the network. A missing one is downloaded to
``NAME.part`` from the first mirror that delivers, checked, and moved into place in one step, by one
process at a time.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from docre.data.checksums import checksum, record, recorded, sha256_of, sidecar
from docre.data.transfer import (
    LARGEST,
    LFS_POINTER,
    Progress,
    TransferError,
    discard,
    disk,
    transfer,
    unpack_gz,
)
from docre.data.transfer import DownloadError as DownloadError

OFFLINE_VARIABLES = ("DOCRE_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE")
TRIES = 3
BACK_OFF = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An official file and where it can be had.

    Args:
        name: Name in the data folder, with ``/`` where the file stands in a folder of it.
        urls: Mirrors, tried in order.
        sha256: Checksum of the file as it is used, after unpacking; ``None`` if unknown, then the
            first download is recorded and checked from then on.
        size: Size of the file as it is used, in bytes.
        unpack: What to do with the download before use.
        sha256_packed: Checksum of the download itself, where it is unpacked.
        note: Where the checksum is from, and what else a person should know.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str | None = None
    size: int | None = None
    unpack: Literal["", "gz"] = ""
    sha256_packed: str | None = None
    note: str = ""


def fetch(
    remote: RemoteFile, folder: Path, *, offline: bool = False, timeout: float = 30.0
) -> Path:
    """Return the path of an official file, downloaded and checked if it is not there yet.

    Args:
        remote: The file.
        folder: The data folder; made if it is missing.
        offline: Never use the network; also set by ``DOCRE_OFFLINE=1``, ``HF_DATASETS_OFFLINE=1``
            and ``HF_HUB_OFFLINE=1``.
        timeout: Seconds without a byte before a try counts as failed.

    Raises:
        DownloadError: If the file cannot be had, or the one that is there is not the official one.
    """
    path = folder.expanduser().resolve() / remote.name
    if path.exists():
        return verify(remote, path)
    if offline or is_offline():
        raise DownloadError(f"{path} is missing, and docre is offline.\n{by_hand(remote, path)}")
    with disk(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        # Another process may have brought it while this one waited.
        if path.exists():
            return verify(remote, path)
        _from_mirrors(remote, path, timeout)
        return verify(remote, path)


def is_offline() -> bool:
    """Say whether an environment variable forbids the network, docre's own or Hugging Face's."""
    values = (os.environ.get(variable, "").lower() for variable in OFFLINE_VARIABLES)
    return any(value in ("1", "on", "yes", "true") for value in values)


def verify(remote: RemoteFile, path: Path) -> Path:
    """Check a file that is present; it is never changed or removed, whatever it is.

    Raises:
        DownloadError: If it is not the official file.
    """
    try:
        found = checksum(path)
        size = path.stat().st_size
    except OSError as error:
        raise DownloadError(f"{path} cannot be read: {error.strerror or error}") from error
    expected = remote.sha256 or recorded(path)
    if expected is None:
        record(path)
        _log.warning(
            "%s: no official checksum is known; recorded %s (%d bytes), checked from now on",
            path,
            found,
            size,
        )
    elif found != expected:
        if remote.sha256:
            origin = "official"
            remedy = "to get the official file, move this one away and start again"
        else:
            origin = "of its first use"
            remedy = f"to accept this one from now on, remove {sidecar(path)}"
        raise DownloadError(
            f"{path} is not the file it should be:\n"
            f"  expected sha256 {expected} ({_with_size(remote.size, origin)})\n"
            f"  found    sha256 {found} ({size:,} bytes)\n"
            "Nothing was changed. If it is your own version, give it another name and read it by "
            f"that; {remedy}.{_note(remote)}"
        )
    return path


def by_hand(remote: RemoteFile, path: Path) -> str:
    """Say which file to put where."""
    unpack = "unpack it with gunzip, " if remote.unpack else ""
    facts = [f"{remote.size:,} bytes"] if remote.size is not None else []
    facts += [f"sha256 {remote.sha256}"] if remote.sha256 else []
    known = f"\n  ({', '.join(facts)})" if facts else ""
    return (
        f"Download it from\n  {remote.urls[0]}\n"
        f"{unpack}and put it at\n  {path}{known}{_note(remote)}"
    )


def _from_mirrors(remote: RemoteFile, path: Path, timeout: float) -> None:
    reasons = []
    for url in remote.urls:
        try:
            _from_mirror(remote, url, path, timeout)
        except TransferError as error:
            _log.warning("%s: %s", url, error)
            reasons.append(f"  {url}: {error}")
        else:
            return
    lines = [f"{remote.name} could not be downloaded:", *reasons, by_hand(remote, path)]
    raise DownloadError("\n".join(lines))


def _from_mirror(remote: RemoteFile, url: str, path: Path, timeout: float) -> None:
    part = path.with_name(f"{path.name}.gz.part" if remote.unpack else f"{path.name}.part")
    for attempt in range(1, TRIES + 1):
        continued = False
        try:
            _log.info("downloading %s", url)
            with _progress_bar(remote.name) as progress:
                continued = transfer(
                    url, part, timeout=timeout, limit=_limit(remote), progress=progress
                )
            _accept(remote, part, path)
        except TransferError as error:
            # What was continued may be wrong because of its first half: that is worth a new try.
            if attempt == TRIES or not (error.transient or continued):
                tries = f" ({attempt} tries)" if attempt > 1 else ""
                raise TransferError(f"{error}{tries}") from None
            _log.info("%s: %s; trying again", url, error)
            time.sleep(BACK_OFF * 2 ** (attempt - 1))
        else:
            return


def _accept(remote: RemoteFile, part: Path, path: Path) -> None:
    """Check what came, unpack it, and move it into place; wrong content is thrown away."""
    whole = path.with_name(f"{path.name}.part")
    try:
        with part.open("rb") as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise TransferError("sent a Git LFS pointer in place of the file")
        if remote.unpack:
            _require(part, remote.sha256_packed, None)
            unpack_gz(part, whole, LARGEST if remote.size is None else remote.size)
        _require(whole, remote.sha256, remote.size)
    except TransferError:
        discard(part)
        discard(whole)
        raise
    with disk(path):
        whole.replace(path)
    discard(part)


def _require(path: Path, sha256: str | None, size: int | None) -> None:
    found = path.stat().st_size
    if size is not None and found != size:
        raise TransferError(f"wrong content: {found:,} bytes, expected {size:,}")
    digest = sha256_of(path) if sha256 else None
    if digest != sha256:
        raise TransferError(f"wrong content: sha256 {digest}, expected {sha256}")


def _limit(remote: RemoteFile) -> int:
    """Return what a download cannot exceed: gz makes a file larger by a few bytes at most."""
    if remote.size is None:
        return LARGEST
    return remote.size + remote.size // 1000 + 1024 if remote.unpack else remote.size


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time download a file."""
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    with disk(path.parent):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.info("another process is downloading %s; waiting for it", path)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _progress_bar(name: str) -> Iterator[Progress]:
    """Show a bar on a terminal and nothing in a log file."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _with_size(size: int | None, origin: str) -> str:
    return f"{size:,} bytes, {origin}" if size is not None else origin


def _note(remote: RemoteFile) -> str:
    return f"\nNote: {remote.note}" if remote.note else ""
