"""Which folders are runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path

from docre.errors import DocreError

_BESIDE = ("run.json", "scores", "checkpoints")


def is_run(folder: Path) -> bool:
    """Tell the folder of a run of ``docre fit`` from others."""
    return (folder / "config.yaml").is_file() and any((folder / n).exists() for n in _BESIDE)


def find_runs(paths: Iterable[str | Path]) -> list[Path]:
    """Return the runs that paths mean, in their order, each once.

    Args:
        paths: Folders of runs, folders that have runs anywhere below them, and patterns such as
            ``runs/*/version_0``. Files are passed over, so that a shell may expand ``runs/*``.

    Raises:
        DocreError: If a path does not exist, or a folder has no run.
    """
    found: dict[Path, Path] = {}
    for path in map(str, paths):
        matches = _matches(path)
        if not matches:
            raise DocreError(f"no such run: {path}")
        runs = [run for match in matches for run in _runs_in(match)]
        if not runs and any(match.is_dir() for match in matches):
            raise DocreError(
                f"{path} has no run: no folder there has config.yaml beside {', '.join(_BESIDE)}"
            )
        for run in runs:
            found.setdefault(run.resolve(), run)
    if not found:
        raise DocreError("docre compare needs runs: folders that docre fit printed")
    return list(found.values())


def is_there(path: str) -> bool:
    """Say whether a path or a pattern means anything that exists."""
    return bool(_matches(path))


def _matches(path: str) -> list[Path]:
    if Path(path).exists():  # a name may have brackets
        return [Path(path)]
    return _sorted(map(Path, glob(path, recursive=True))) if has_magic(path) else []


def _runs_in(folder: Path) -> list[Path]:
    if is_run(folder):
        return [folder]
    return _sorted(path.parent for path in folder.rglob("config.yaml") if is_run(path.parent))


def _sorted(paths: Iterable[Path]) -> list[Path]:
    """Sort as people count: ``seed_2`` before ``seed_10``."""
    return sorted(set(paths), key=_key)


def _key(path: Path) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", path.as_posix())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
