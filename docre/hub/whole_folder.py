"""A folder that takes its place when it is complete, and never leaves less than there was."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docre.disk import refusals_said


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to write into that takes its place when it is complete.

    Args:
        target: The place. What is there is replaced, and stays if anything goes wrong.

    Raises:
        DiskError: If the disk is full, or the place cannot be written to.
    """
    part, old = _beside(target, "part"), _beside(target, "old")
    with refusals_said(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.mkdir()
            yield part
            if target.exists():
                target.replace(old)
            part.replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            _put_back_or_remove(old, target)


def clear_leftovers(target: Path) -> None:
    """Clear what killed processes left beside a place; an older folder they moved is put back."""
    name = re.compile(rf"\.{re.escape(target.name)}\.(\d+)\.(part|old)")
    if not target.parent.is_dir():
        return
    for path in sorted(target.parent.iterdir()):
        found = name.fullmatch(path.name)
        if found is None or not path.is_dir() or _is_running(int(found[1])):
            continue
        if path.is_symlink():  # no process of ours leaves one
            continue
        if found[2] == "old":
            _put_back_or_remove(path, target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.{kind}")


def _put_back_or_remove(old: Path, target: Path) -> None:
    if old.is_dir() and not target.exists():
        old.replace(target)
    if old.is_symlink():
        old.unlink()  # what it points to is somebody's
    shutil.rmtree(old, ignore_errors=True)


def _is_running(process: int) -> bool:
    """Say whether another process is there: in containers, an earlier one had our number too."""
    if process == os.getpid():
        return False
    if os.name == "nt":
        return True  # signal 0 interrupts there
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # of somebody else, or no number of a process: let it be
    return True
