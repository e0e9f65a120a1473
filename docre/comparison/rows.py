"""Runs of one configuration and several seeds are one row; rows have names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev

from docre.comparison.option_names import describe, short_names
from docre.comparison.options import Options, differing
from docre.comparison.run_folders import find_runs
from docre.comparison.runs import ScoredRun, TrainedRun
from docre.errors import DocreError

_RUN_FOLDER = re.compile(r"(seed|version)_\d+")
# options looked at for the shortest name, and how many of them it may have
_CANDIDATES, _LONGEST = 30, 3


@dataclass(frozen=True, eq=False)
class ComparedRow:
    """The runs of one configuration.

    Args:
        name: What it is called.
        runs: Its runs, by seed.
    """

    name: str
    runs: tuple[ScoredRun, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seed of each run."""
        return tuple(one.run.seed for one in self.runs)

    def values(self, score: str) -> tuple[float, ...]:
        """Return a score of each run; nothing if one of them does not have it."""
        if not all(score in one.scores for one in self.runs):
            return ()
        return tuple(one.scores[score] for one in self.runs)

    def mean(self, score: str) -> float | None:
        """Return the mean over the runs."""
        values = self.values(score)
        return fmean(values) if values else None

    def sd(self, score: str) -> float | None:
        """Return the standard deviation (n - 1) over the runs; ``None`` of a single one."""
        values = self.values(score)
        return stdev(values) if len(values) > 1 else None

    @property
    def seconds(self) -> float | None:
        """Mean training time of the runs; ``None`` if one of them does not say it."""
        times = [one.run.log.seconds for one in self.runs]
        known = [seconds for seconds in times if seconds is not None]
        return fmean(known) if known and len(known) == len(times) else None


def group_runs(
    runs: Sequence[TrainedRun], names: Mapping[str, str | Path]
) -> dict[str, list[TrainedRun]]:
    """Return the runs of each row by its name, rows in the order of their first run.

    Args:
        runs: The runs.
        names: Names of rows, each with a folder or a pattern of its runs.

    Raises:
        DocreError: If a name is for none of the runs, or two names are for the same.
    """
    given = _given_names(runs, names)
    groups: dict[object, list[TrainedRun]] = {}
    for run in runs:
        key = given.get(run.folder.resolve()) or _identity(run.options)
        groups.setdefault(key, []).append(run)
    grouped = list(groups.values())
    chosen = [given.get(group[0].folder.resolve()) for group in grouped]
    found = iter(_names([group for group, name in zip(grouped, chosen, strict=True) if not name]))
    named = [name or next(found) for name in chosen]
    return dict(zip(distinct(named), grouped, strict=True))


def _identity(options: Options) -> tuple[object, ...]:
    # 1 and True are two values here
    return tuple(sorted((key, type(v).__name__, str(v)) for key, v in options.items()))


def _given_names(runs: Sequence[TrainedRun], names: Mapping[str, str | Path]) -> dict[Path, str]:
    given: dict[Path, str] = {}
    for name, path in names.items():
        meant = {folder.resolve() for folder in find_runs([path])}
        meant &= {run.folder.resolve() for run in runs}
        if not meant:
            raise DocreError(f"names: {name}={path} is none of the runs that are compared")
        for folder in meant:
            if folder in given:
                raise DocreError(f"names: {folder} would be in {given[folder]} and in {name}")
            given[folder] = name
    return given


def _names(groups: Sequence[Sequence[TrainedRun]]) -> list[str]:
    """Return the names of the folders of the runs if these tell the rows apart, else options."""
    folders = [{_row_folder(run.folder) for run in group} for group in groups]
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


def row_of(name: str, scored: Sequence[ScoredRun]) -> tuple[ComparedRow, list[str]]:
    """Return a row and notes; of two runs with one seed the newer one counts.

    Args:
        name: Of the row.
        scored: Its runs.
    """
    kept: dict[object, ScoredRun] = {}
    notes = []
    for one in sorted(scored, key=lambda one: one.run.time):
        key = one.run.seed if one.run.seed is not None else one.run.folder
        if key in kept:
            notes.append(
                f"{name}: two runs of seed {key}, so {kept[key].run.folder} is left out, "
                f"{one.run.folder} is newer"
            )
        kept[key] = one
    seeds = sorted(kept.values(), key=lambda one: (one.run.seed is None, one.run.seed or 0))
    return ComparedRow(name, tuple(seeds)), notes
