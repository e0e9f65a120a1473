"""What a reader has to know before trusting a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from docre.comparison.comparison import ComparisonTable
from docre.comparison.differing import Options, differing
from docre.comparison.option_names import show
from docre.comparison.rows import ComparedRow
from docre.comparison.runs import TrainedRun

_SHOWN = 8
# The options that say most about a row come first; the class of a part before its numbers.
_RANKS = ("model", "data", "trainer")


def notes_of_runs(groups: Mapping[str, Sequence[TrainedRun]]) -> list[str]:
    """Return whether runs were made by different code.

    Args:
        groups: The runs of each row.
    """
    runs = [run for group in groups.values() for run in group]
    notes = []
    for what, read in _CODE.items():
        found = dict.fromkeys(version for run in runs if (version := read(run.record)))
        if len(found) > 1:
            notes.append(f"trained with different {what}: {', '.join(found)}")
    return notes


def notes_of_table(
    table: ComparisonTable, more: Sequence[str], samples: int, seed: int
) -> list[str]:
    """Return what has to be known to read the numbers of a table, what weighs most first.

    Args:
        table: The table.
        more: What else is known, about the numbers of some rows.
        samples: Number of resamples.
        seed: Of the resamples.
    """
    runs = [one for row in table.rows for one in row.runs]
    notes = [*_of_development(table), *_of_mixtures(table.rows)]
    for note in dict.fromkeys(note for one in runs for note in one.notes):
        with_note = [str(one.run.folder) for one in runs if note in one.notes]
        notes.append(f"{note}: {'all runs' if len(with_note) == len(runs) else _listed(with_note)}")
    notes += more
    if any(one.on.facts is None and "ign_f1" in one.scores for one in runs):
        notes.append("a log does not say which facts its Ign F1 leaves out")
    return notes + _of_tests(table) + _of_spread(table, samples, seed)


def remarks_of_table(rows: Sequence[ComparedRow]) -> list[str]:
    """Return in which options the rows of a table differ, and whether their times can."""
    remarks = []
    options = {row.name: row.runs[0].run.options for row in rows}
    keys = sorted(differing(list(options.values())), key=lambda key: _rank(key, options))
    if keys:
        values = [_values(key, options) for key in keys[:_SHOWN]]
        more = f"; and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        remarks.append(f"rows differ in {'; '.join(values)}{more}")
    places = dict.fromkeys(_place(one.run.record) for row in rows for one in row.runs)
    if len(places) > 1:
        remarks.append(f"trained on different devices, so times differ too: {', '.join(places)}")
    return remarks


def _of_development(table: ComparisonTable) -> list[str]:
    runs = [one for row in table.rows for one in row.runs]
    selected = [str(one.run.folder) for one in runs if one.run.selected_on is not None]
    if table.on.split != "dev" or not selected:
        return []
    which = "each run" if len(selected) == len(runs) else _listed(selected)
    return [
        f"the epoch of {which} was chosen on these documents, so the scores are too high to "
        "report; docre test --run FOLDER scores the test split"
    ]


def _of_mixtures(rows: Sequence[ComparedRow]) -> list[str]:
    notes = []
    for row in rows:
        keys = differing([one.run.options for one in row.runs])
        if keys:
            notes.append(
                f"{row.name}: its runs are of different configurations, so its spread is not that "
                f"of seeds; they differ in {_listed(keys)}"
            )
    return notes


def _of_tests(table: ComparisonTable) -> list[str]:
    """Return what is not tested and why."""
    rows = table.rows
    runs = [one for row in rows for one in row.runs]
    if len(rows) < 2:
        return []
    without = [row.name for row in rows if not any(one.counts for one in row.runs)]
    some = without and len(without) < len(rows)
    notes = [f"not tested, no counts by document: {_listed(without)}"] if some else []
    if not any(table.differences.values()):
        if notes or any(one.notes for one in runs):
            return notes
        return [
            "no counts by document beside the scores, so nothing is tested: docre test --run "
            "FOLDER writes them"
        ]
    tested = {score for one in table.differences.values() for score in one}
    scores = [heading for score, heading in table.scores.items() if score not in tested]
    if scores:
        notes.append(f"not tested, as their counts by document are not kept: {', '.join(scores)}")
    return notes


def _of_spread(table: ComparisonTable, samples: int, seed: int) -> list[str]:
    notes = []
    single = [row.name for row in table.rows if len(row.runs) == 1]
    if single:
        notes.append(
            f"one run only, so nothing is known of its spread over seeds: {_listed(single)}"
        )
    if len(single) < len(table.rows):
        notes.append("± is the standard deviation over seeds (n - 1)")
    if any(table.differences.values()):
        what = "documents" if len(single) == len(table.rows) else "documents and of seeds"
        notes.append(
            f"intervals (95 %) and p-values: paired bootstrap, {samples:,} resamples of {what}, "
            f"seed {seed}; * p < 0.05 after Holm's correction for the rows of the table; bold: "
            "better than every other row at that level"
        )
    return notes


def _rank(key: str, options: Mapping[str, Options]) -> tuple[int, bool]:
    room = key.partition(".")[0].removesuffix("_class")
    has_arguments = any(name.startswith(f"{key}.") for one in options.values() for name in one)
    place = _RANKS.index(room) if room in _RANKS else _RANKS.index("trainer")
    return place, not (has_arguments or key == "model_class")


def _values(key: str, options: Mapping[str, Options]) -> str:
    values = [show(one[key]) if key in one else "-" for one in options.values()]
    return f"{key} ({', '.join(dict.fromkeys(values))})"


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def _version(record: Mapping[str, Any], package: str) -> str:
    return str(record.get("versions", {}).get(package, ""))


def _commit(record: Mapping[str, Any]) -> str:
    state = (record.get("git") or {}).get("docre") or {}
    changed = " with changes" if state.get("changed") else ""
    return f"{state['commit'][:10]}{changed}" if state.get("commit") else ""


def _place(record: Mapping[str, Any]) -> str:
    devices = record.get("devices") or {}
    return f"{devices.get('number', '?')} x {devices.get('kind', 'unknown')}"


_CODE: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "versions of docre": lambda record: _version(record, "docre"),
    "commits of docre": _commit,
    "versions of torch": lambda record: _version(record, "torch"),
}
