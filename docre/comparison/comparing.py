"""Compare runs: read them, group them, and hold what can be compared against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from docre.comparison.columns import check_scores
from docre.comparison.comparison import Comparison, ComparisonTable
from docre.comparison.differing import differing
from docre.comparison.facts import with_same_facts
from docre.comparison.notes import notes_of_runs, notes_of_table, remarks_of_table
from docre.comparison.option_names import short_names
from docre.comparison.rows import ComparedRow, group_runs, row_of
from docre.comparison.run_folders import find_runs
from docre.comparison.runs import ScoredRun, Split, TrainedRun, read_scores
from docre.comparison.scored_on import ScoredOn
from docre.comparison.significance import difference, mean_over_seeds, resampled_scores
from docre.errors import DocreError
from docre.scoring import Difference
from docre.scoring.rates import Floats

_TOO_FEW = 3  # a line through two points says nothing


def compare(
    paths: Iterable[str | Path],
    split: Split = "test",
    baseline: str | Path | None = None,
    names: Mapping[str, str | Path] | None = None,
    samples: int = 1000,
    seed: int = 0,
    scores: Sequence[str] = (),
) -> Comparison:
    """Compare runs, those that differ in nothing but the seed as one row.

    Args:
        paths: Run folders, folders that have runs below them, or patterns.
        split: Which scores; runs without test scores are shown apart with those of dev.
        baseline: Name of a row or folder of a run, which the others are compared with; the first
            row of each table if left out.
        names: Names of rows, each with a folder or pattern of its runs.
        samples: Resamples of documents (and seeds) behind intervals and p-values.
        seed: Of the resamples.
        scores: Names of the scores to show, as in score files; the usual ones if left out.
            ``runs`` and ``time`` are columns too.

    Raises:
        DocreError: If there is no such run, no run has scores, a file is damaged, or a setting
            makes no sense.
    """
    if samples < 1:
        raise DocreError(f"--samples must be at least 1, it is {samples}")
    if seed < 0:
        raise DocreError(f"--seed must not be negative, it is {seed}")
    runs = [TrainedRun.read(folder) for folder in find_runs(paths)]
    groups = group_runs(runs, names or {})
    wanted = None if baseline is None else _baseline(groups, baseline)
    notes = notes_of_runs(groups)
    scored: list[tuple[str, ScoredRun]] = []
    for name, group in groups.items():
        for run in group:
            one = read_scores(run, split) or (read_scores(run, "dev") if split == "test" else None)
            if one is None:
                notes.append(f"{run.folder} has no scores: left out")
            else:
                scored.append((name, one))
    if not scored:
        raise DocreError(
            f"none of the {len(runs)} runs has scores: docre test --run FOLDER writes them"
        )
    check_scores(scores, {name for _, one in scored for name in one.scores})
    sets = _comparable(scored, split)
    tables = [
        _table(on, members, sets[0][0], wanted, samples, seed, list(groups), tuple(scores))
        for on, members in sets
    ]
    if len({table.on.split for table in tables}) > 1:
        notes.append("runs without test scores stand apart; --split dev compares all on dev")
    return Comparison(tuple(tables), tuple(notes), samples, _factor(groups), tuple(scores))


def _comparable(
    scored: Sequence[tuple[str, ScoredRun]], split: Split
) -> list[tuple[ScoredOn, list[tuple[str, ScoredRun]]]]:
    """Return the runs that can be compared, those of the split and the largest set first."""
    sets: list[tuple[ScoredOn, list[tuple[str, ScoredRun]]]] = []
    # those that say all about themselves first, so that the others are held against them
    for member in sorted(scored, key=lambda member: member[1].on.documents is None):
        for on, members in sets:
            if not any(member[1].on.against(on)):
                members.append(member)
                break
        else:
            sets.append((member[1].on, [member]))
    return sorted(sets, key=lambda one: (one[0].split != split, -len(one[1])))


def _table(
    on: ScoredOn,
    members: Sequence[tuple[str, ScoredRun]],
    first: ScoredOn,
    baseline: str | None,
    samples: int,
    seed: int,
    order: Sequence[str],
    chosen: tuple[str, ...],
) -> ComparisonTable:
    apart = () if on is first else tuple(on.against(first))
    members, on, notes = with_same_facts(members, on)
    rows, remarks = [], []
    for name in order:
        group = [run for row, run in members if row == name]
        if group:
            row, more = row_of(name, group)
            rows.append(row)
            remarks += more
    named = [row.name for row in rows]
    held = named[0] if baseline is None else baseline if baseline in named else None
    if held is None:
        notes.append(f"the baseline {baseline} is not among these, so there are no differences")
    differences = _differences(rows, samples, seed)
    table = ComparisonTable(on, tuple(rows), held, differences, chosen=chosen, apart=apart)
    return replace(
        table,
        notes=tuple(notes_of_table(table, notes, samples, seed)),
        remarks=(*remarks, *remarks_of_table(rows)),
    )


def _differences(
    rows: Sequence[ComparedRow], samples: int, seed: int
) -> dict[tuple[str, str], dict[str, Difference]]:
    """Return the difference of every two rows in every score that has counts by document."""
    if len(rows) < 2:
        return {}
    runs = [one for row in rows for one in row.runs]
    drawn = iter(resampled_scores([one.counts for one in runs], samples, seed))
    means: dict[str, dict[str, Floats]] = {}
    for number, row in enumerate(rows):
        each = [next(drawn) for _ in row.runs]
        means[row.name] = {
            score: mean_over_seeds([one[score] for one in each], row.seeds, samples, seed, number)
            for score in each[0]
            if all(score in one for one in each) and row.mean(score) is not None
        }
    return {
        (row.name, other.name): {
            score: difference(
                (row.mean(score) or 0.0) - (other.mean(score) or 0.0),
                means[row.name][score],
                means[other.name][score],
            )
            for score in means[row.name]
            if score in means[other.name]
        }
        for row in rows
        for other in rows
        if row is not other
    }


def _baseline(groups: Mapping[str, Sequence[TrainedRun]], baseline: str | Path) -> str:
    if str(baseline) in groups:
        return str(baseline)
    folder = Path(baseline).resolve()
    for name, group in groups.items():
        if any(folder in (run.folder.resolve(), *run.folder.resolve().parents) for run in group):
            return name
    raise DocreError(f"--baseline {baseline} is no row; there are: {', '.join(groups)}")


def _factor(
    groups: Mapping[str, Sequence[TrainedRun]],
) -> tuple[str, dict[str, float]] | None:
    """Return the number in which rows differ, if it is all that they differ in."""
    options = {name: group[0].options for name, group in groups.items()}
    keys = differing(list(options.values()))
    if len(keys) != 1 or len(options) < _TOO_FEW:
        return None
    values: dict[str, float] = {}
    for name, one in options.items():
        value = one.get(keys[0])
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        values[name] = float(value)
    every = {key for one in options.values() for key in one}
    return short_names(keys, every)[keys[0]], values
