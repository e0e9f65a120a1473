"""Runs of one configuration and several seeds are one row; rows have names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from docre.comparison.differing import Options, differing
from docre.comparison.row_names import distinct, equal_cells, row_names
from docre.comparison.run_folders import find_runs
from docre.comparison.runs import ScoredRun, TrainedRun
from docre.errors import DocreError


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
    found = iter(
        row_names([group for group, name in zip(grouped, chosen, strict=True) if not name])
    )
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


def row_of(name: str, scored: Sequence[ScoredRun]) -> tuple[ComparedRow, list[str]]:
    """Return a row and notes; of two runs with one seed the newer one counts.

    Cells of one sweep that turn out to be equal are no more seeds: those of one of them count.

    Args:
        name: Of the row.
        scored: Its runs.
    """
    kept: dict[object, ScoredRun] = {}
    scored, notes = _of_one_cell(name, scored)
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


def _of_one_cell(name: str, scored: Sequence[ScoredRun]) -> tuple[list[ScoredRun], list[str]]:
    cells = equal_cells(one.run.folder for one in scored)
    if not cells or differing([one.run.options for one in scored]):
        return list(scored), []
    chosen = max(cells, key=lambda cell: (cell.name == name, len(cells[cell])))
    left_out = [folder for cell, folders in cells.items() if cell != chosen for folder in folders]
    note = (
        f"{' and '.join(cell.name for cell in cells)} of {chosen.parent.name} have EQUAL "
        f"configurations, so they are one row, {name}, made of the runs in {chosen.name}; "
        f"left out: {', '.join(map(str, left_out))}"
    )
    return [one for one in scored if one.run.folder not in left_out], [note]
