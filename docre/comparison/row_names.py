"""What rows are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from docre.comparison.differing import Options, differing
from docre.comparison.option_names import describe, short_names
from docre.comparison.runs import TrainedRun

_RUN_FOLDER = re.compile(r"(seed|version)_\d+")
_SEED_FOLDER = re.compile(r"seed_\d+")
# options looked at for the shortest name, and how many of them it may have
_CANDIDATES, _LONGEST = 30, 3


def row_names(groups: Sequence[Sequence[TrainedRun]]) -> list[str]:
    """Return the names of the folders of the runs if these tell the rows apart, else options."""
    folders = [set(_row_folders(group)) for group in groups]
    if all(len(each) == 1 for each in folders):
        names = [next(iter(each)) for each in folders]
        if len(set(names)) == len(names):
            return names
    options = [group[0].options for group in groups]
    keys = _telling(options)
    short = short_names(keys, {key for one in options for key in one})
    if keys:
        return [", ".join(dict.fromkeys(describe(o, k, short) for k in keys)) for o in options]
    return [group[0].folder.as_posix() for group in groups]


def _row_folders(group: Sequence[TrainedRun]) -> list[str]:
    """Return the folders that seeds share; of equal cells of a sweep the one with most runs."""
    cells = equal_cells([run.folder for run in group])
    if cells:
        return [max(cells, key=lambda cell: len(cells[cell])).name]
    return [_row_folder(run.folder) for run in group]


def equal_cells(folders: Iterable[Path]) -> dict[Path, list[Path]]:
    """Return the runs of each cell, if runs are seeds of several cells of one sweep.

    Args:
        folders: Of runs of one configuration.
    """
    cells: dict[Path, list[Path]] = {}
    for folder in folders:
        if not _SEED_FOLDER.fullmatch(folder.resolve().name):
            return {}
        cells.setdefault(folder.resolve().parent, []).append(folder)
    return cells if len(cells) > 1 and len({cell.parent for cell in cells}) == 1 else {}


def _row_folder(folder: Path) -> str:
    """Return the name that all seeds share: ``CELL`` of ``runs/SWEEP/CELL/seed_1``."""
    path = folder.resolve()
    return path.parent.name if _RUN_FOLDER.fullmatch(path.name) else path.name


def _telling(each: Sequence[Options]) -> list[str]:
    """Return the fewest options that tell all rows apart."""
    keys = sorted(differing(each), key=lambda key: key.count("."))
    for size in range(1, _LONGEST + 1):
        for chosen in combinations(keys[:_CANDIDATES], size):
            short = {key: key for key in chosen}
            seen = {tuple(describe(one, key, short) for key in chosen) for one in each}
            if len(seen) == len(each):
                return list(chosen)
    return keys


def distinct(names: Sequence[str]) -> list[str]:
    """Return names that all differ, numbered where they would not."""
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]
