"""What a disk refuses, as one message that names the place and says what to do."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docre.errors import DocreError

_DENIED = "permission is denied there; choose another place, or change its permissions"
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and give the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and give the same command again",
    errno.EFBIG: "files may not become that large here (ulimit -f); raise the limit and give the "
    "same command again",
    errno.EROFS: "the file system is read-only; choose another place, or mount it to be written",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: "what should be a folder there is a file; choose another place",
    errno.EEXIST: "what should be a folder there is a file; choose another place",
    errno.EISDIR: "a folder of that name is there; choose another place",
    errno.ENAMETOOLONG: "the name is too long for this disk; choose a shorter one",
    errno.EIO: "the disk fails (input/output error); choose another place",
}
# how libraries that are written in Rust say the number of an error
_NUMBER = re.compile(r"\(os error (\d+)\)")


class DiskError(DocreError):
    """A file that could not be written."""


@contextmanager
def refusals_said(target: Path) -> Iterator[None]:
    """Turn what the disk refuses, while a file or folder is written, into one message.

    Errors of other kinds, and those about other files, go on as they are.

    Args:
        target: What is written. Its name is said, also where a temporary one beside it failed.

    Raises:
        DiskError: For a full disk, a read-only folder and everything like it.
    """
    try:
        yield
    except Exception as error:
        reason = reason_of(error)
        if reason is None or not _is_about(error, target):
            raise
        raise DiskError(f"cannot write {target}: {reason}") from error


@contextmanager
def threads_keep_quiet() -> Iterator[None]:
    """Let threads that write say nothing of a disk that refuses.

    TensorBoard's does, with a traceback, and the next thing that is logged fails with the same.
    """
    before = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value
        if error is None or reason_of(error) is None:
            before(arguments)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def reason_of(error: BaseException) -> str | None:
    """Return what is wrong with a disk and what to do about it; ``None`` for other errors."""
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0)
    if isinstance(error, DocreError):
        return None  # somebody has said it already
    found = _NUMBER.search(str(error))
    if found is not None:
        return _REASONS.get(int(found[1]))
    # torch stumbles a second time over what it could not write
    return None if error.__context__ is None else reason_of(error.__context__)


def refusal(error: OSError) -> str:
    """Return an error as a person is to read it, with what to do where that is known."""
    reason = reason_of(error)
    return str(error) if reason is None else f"{error.filename or error.strerror}: {reason}"


def _is_about(error: Exception, target: Path) -> bool:
    """Say whether an error is about what is written, in it, above it, or its unfinished form."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str | os.PathLike):  # a write that failed names no file
        return True
    place, wanted = Path(name).absolute(), target.absolute()
    if place in wanted.parents:
        return True
    if wanted.parent not in place.parents:
        return False
    first = place.relative_to(wanted.parent).parts[0]
    return first == wanted.name or first.startswith(f".{wanted.name}.")
