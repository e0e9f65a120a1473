"""What a reader has to know before trusting a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from docre.comparison.option_names import show
from docre.comparison.options import differing
from docre.comparison.rows import ComparedRow
from docre.comparison.runs import TrainedRun
from docre.scoring import Difference

_SHOWN = 8


def notes_of_runs(groups: Mapping[str, Sequence[TrainedRun]]) -> list[str]:
    """Return in which options rows differ, which rows do not keep to one, and what code made them.

    Args:
        groups: The runs of each row.
    """
    notes = []
    for name, group in groups.items():
        keys = differing([run.options for run in group])
        if keys:
            notes.append(
                f"{name}: its runs are of different configurations, so its spread is not that of "
                f"seeds; they differ in {_listed(keys)}"
            )
    keys = differing([group[0].options for group in groups.values()])
    if keys:
        values = [_values(key, groups) for key in keys[:_SHOWN]]
        more = f"; and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        notes.append(f"rows differ in {'; '.join(values)}{more}")
    runs = [run for group in groups.values() for run in group]
    for what, read in _CODE.items():
        found = dict.fromkeys(version for run in runs if (version := read(run.record)))
        if len(found) > 1:
            notes.append(f"trained with different {what}: {', '.join(found)}")
    return notes


def notes_of_table(
    rows: Sequence[ComparedRow],
    differences: Mapping[tuple[str, str], Mapping[str, Difference]],
    samples: int,
    seed: int,
) -> list[str]:
    """Return how the numbers of a table were made and what they leave out."""
    runs = [one for row in rows for one in row.runs]
    notes = []
    if runs[0].on.split == "dev":
        notes.append(
            "the epoch of each run was chosen on these documents, so the scores are too high to "
            "report; docre test --run FOLDER scores the test split"
        )
    for note in dict.fromkeys(note for one in runs for note in one.notes):
        with_note = [str(one.run.folder) for one in runs if note in one.notes]
        notes.append(f"{note}: {'all runs' if len(with_note) == len(runs) else _listed(with_note)}")
    if any(one.on.facts is None and "ign_f1" in one.scores for one in runs):
        notes.append("a log does not say which facts its Ign F1 leaves out")
    single = [row.name for row in rows if len(row.runs) == 1]
    if single:
        notes.append(
            f"one run only, so nothing is known of its spread over seeds: {_listed(single)}"
        )
    if len(single) < len(rows):
        notes.append("± is the standard deviation over seeds (n - 1)")
    if any(differences.values()):
        what = "documents" if len(single) == len(rows) else "documents and of seeds"
        notes.append(
            f"intervals (95 %) and p-values: paired bootstrap, {samples:,} resamples of {what}, "
            f"seed {seed}; * p < 0.05 after Holm's correction for the rows of the table; bold: "
            "better than every other row at that level"
        )
    elif len(rows) > 1 and not any(one.notes for one in runs):
        notes.append(
            "no counts by document beside the scores, so nothing is tested: docre test --run "
            "FOLDER writes them"
        )
    without = [row.name for row in rows if not any(one.counts for one in row.runs)]
    if without and len(without) < len(rows):
        notes.append(f"not tested, no counts by document: {_listed(without)}")
    places = dict.fromkeys(_place(one.run.record) for one in runs)
    if len(places) > 1:
        notes.append(f"trained on different devices, so times differ too: {', '.join(places)}")
    return notes


def _values(key: str, groups: Mapping[str, Sequence[TrainedRun]]) -> str:
    values = [
        show(group[0].options[key]) if key in group[0].options else "-" for group in groups.values()
    ]
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
