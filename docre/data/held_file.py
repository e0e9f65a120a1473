"""Unfinished files that are known to be somebody's: what killed processes left is told from them.

A process keeps a lock on what it writes. The lock ends with the process, however that ends, also
on another machine with the same disk; the number of a process says less, containers share them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO


def held_file(path: Path) -> BinaryIO:
    """Open an empty file for writing, with a lock where the disk has locks."""
    while True:
        # not emptied before the lock is there: in another container, a process has our number
        # where somebody put a link, what it points to is not emptied
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = os.fdopen(os.open(path, flags, 0o666), "wb")
        try:
            # another process may have taken it for a leftover just before it was locked
            if not _lock(file, wait=True) or _is_there(path, file):
                file.truncate(0)
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def remove_leftovers(target: Path) -> None:
    """Remove unfinished files of a target, ``.NAME.PROCESS.part``, that nobody writes any more."""
    name = re.compile(rf"\.{re.escape(target.name)}\.\d+\.part")
    for left in target.parent.glob(".*.part"):
        if not name.fullmatch(left.name):
            continue
        try:
            with left.open("rb+") as file:
                if _lock(file, wait=False):
                    left.unlink(missing_ok=True)
        except OSError:
            continue  # somebody else's, or gone meanwhile


def _lock(file: BinaryIO, wait: bool) -> bool:
    """Lock a file, and say whether that could be done."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):
        return False  # it is somebody's, or locks are not to be had here
    return True


def _is_there(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
