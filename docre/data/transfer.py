"""One file from one address: HTTP with resume, and gz unpacked on disk with a size limit."""

from __future__ import annotations

import errno
import gzip
import http.client
import json
import os
import re
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

import docre
from docre.errors import DocreError

Progress = Callable[[int, int | None], None]

CHUNK = 1 << 18
# What a file of unknown size cannot exceed: the largest official one has a sixteenth of it.
LARGEST = 16 << 30
LFS_POINTER = b"version https://git-lfs"
_TRANSIENT_STATUS = frozenset({408, 416, 425, 429, 500, 502, 503, 504})


class DownloadError(DocreError):
    """A file that could not be had, with every reason and the way to get it by hand."""


class TransferError(DocreError):
    """One address that did not deliver; ``transient`` says whether trying again may help."""

    def __init__(self, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        _require_http(newurl, "redirected to ")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def transfer(
    url: str,
    part: Path,
    *,
    timeout: float,
    limit: int | None = None,
    progress: Progress = lambda done, total: None,
) -> bool:
    """Bring the whole content of an address into ``part``, going on where a broken try stopped.

    Args:
        url: An http or https address.
        part: The unfinished file. What it was begun from stands beside it in ``PART.json``, and
            it is only continued from the same address and, by ``If-Range``, the same version.
        timeout: Seconds without an answer or a byte before the try counts as failed.
        limit: Bytes the content cannot exceed.
        progress: Called with the bytes so far and, if known, the bytes in all.

    Returns:
        Whether an earlier try was continued.

    Raises:
        TransferError: If the address does not deliver.
        DownloadError: If the disk does not take it.
    """
    _require_http(url)
    request = urllib.request.Request(url, headers={"User-Agent": f"docre/{docre.__version__}"})
    begun = _begun(part, url)
    if begun is not None:
        start, version = begun
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", version)
    try:
        with _opener().open(request, timeout=timeout) as response:
            done = begun[0] if begun is not None and response.status == 206 else 0
            if done and not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                discard(part)
                raise TransferError("sent another range than asked for", transient=True)
            _receive(response, part, url, done, limit, progress)
            return done > 0
    except TransferError as error:
        if not error.transient:  # there is nothing to go on with
            discard(part)
        raise
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what is there is longer than the file: begin again
            discard(part)
        transient = error.code in _TRANSIENT_STATUS
        raise TransferError(f"HTTP {error.code} {error.reason}", transient) from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise TransferError(str(reason) or type(reason).__name__, transient=True) from None


def _receive(
    response: Any, part: Path, url: str, done: int, limit: int | None, progress: Progress
) -> None:
    length = response.headers.get("Content-Length", "")
    total = done + int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    if limit is not None and total is not None and total > limit:
        raise TransferError(f"{total:,} bytes, at most {limit:,} were expected: not the file")
    with disk(part), own_file(part, "ab" if done else "wb") as file:
        if not done:
            _remember(part, url, response.headers)
        while True:
            progress(done, total)
            with _network():
                chunk = response.read(CHUNK)
            if not chunk:
                break
            done += len(chunk)
            if limit is not None and done > limit:
                raise TransferError(f"more than the expected {limit:,} bytes: not the file")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    # http.client does not say so itself when a connection ends early.
    if total is not None and done < total:
        raise TransferError(f"connection broke after {done:,} of {total:,} bytes", transient=True)


def unpack_gz(packed: Path, target: Path, limit: int | None = None) -> None:
    """Unpack a gz file piece by piece, never beyond ``limit`` bytes.

    Raises:
        TransferError: If it is no whole gz file, or unpacks to more than the limit.
        DownloadError: If the disk does not take it.
    """
    done = 0
    try:
        with disk(target), gzip.open(packed, "rb") as source, own_file(target, "wb") as file:
            while chunk := source.read(CHUNK):
                done += len(chunk)
                if limit is not None and done > limit:
                    raise TransferError(f"unpacks to more than the expected {limit:,} bytes")
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TransferError(f"not a whole gz file: {error}") from None


@contextmanager
def own_file(path: Path, mode: str) -> Iterator[BinaryIO]:
    """Open a file of ours; a link that somebody put there is removed, and not followed."""
    if path.is_symlink():
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "ab" else os.O_TRUNC)
    with os.fdopen(os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666), mode) as file:
        yield cast(BinaryIO, file)


def discard(part: Path) -> None:
    """Remove an unfinished file and what is remembered of it."""
    with disk(part):
        part.unlink(missing_ok=True)
        _origin(part).unlink(missing_ok=True)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one clear message; network errors do not come through here.

    Raises:
        DownloadError: For a full disk, a read-only folder and everything like it.
    """
    try:
        yield
    except gzip.BadGzipFile:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full; free some space and start again, what is there is kept"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = "the folder cannot be written to; choose another data_dir or its permissions"
        else:
            reason = str(error)
        raise DownloadError(f"cannot write {path}: {reason}") from error


@contextmanager
def _network() -> Iterator[None]:
    """Keep network errors, which are OSErrors as well, apart from those of the disk."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(str(error) or type(error).__name__, transient=True) from None


def _require_http(url: str, how: str = "") -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise TransferError(f"{how}{url}: only http and https addresses are used")


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener without urllib's handlers of file, ftp and data addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _begun(part: Path, url: str) -> tuple[int, str] | None:
    """Return how much of this address is there and of which version, if it can be continued."""
    try:
        origin = json.loads(_origin(part).read_bytes())
        size = part.stat().st_size
        version = origin["version"]
        same = origin["url"] == url and not part.is_symlink()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return (size, version) if same and version and size else None


def _remember(part: Path, url: str, headers: Any) -> None:
    # A weak ETag does not promise equal bytes, so it may not be used in If-Range.
    etag = headers.get("ETag", "")
    version = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    with own_file(_origin(part), "wb") as file:
        file.write(json.dumps({"url": url, "version": version}).encode())


def _origin(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")
