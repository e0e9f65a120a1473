"""F1 by the length of documents, from the counts that every run keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from study.places import DATA, REPOSITORY
from study.prepare import write_json

# words of each scored document, in the order of the file: numbers, no words
WORDS = REPOSITORY / "study" / "words.json"
BOUNDS = (150, 200, 250)


def keep_lengths(test: Path = DATA / "redocred" / "test.json") -> None:
    """Remember how long the scored documents are."""
    documents = json.loads(test.read_text())
    write_json(WORDS, [sum(map(len, document["sents"])) for document in documents])


def bins(words: Sequence[int]) -> list[int]:
    """Return the number of the bin of each document."""
    return [sum(count > bound for bound in BOUNDS) for count in words]


def headings() -> list[str]:
    """Return what the bins are called, with their numbers of documents."""
    places = bins(json.loads(WORDS.read_text()))
    names = [f"up to {BOUNDS[0]} words"]
    names += [f"to {bound}" for bound in BOUNDS[1:]]
    names.append(f"more than {BOUNDS[-1]}")
    return [f"{name} ({places.count(number)})" for number, name in enumerate(names)]


def f1_by_length(cell: Path) -> list[float]:
    """Return the F1 in each bin, the mean over the runs of a cell.

    Args:
        cell: Folder of kept runs, scored on the 100 documents.

    Raises:
        ValueError: If they were scored on other documents.
    """
    places = bins(json.loads(WORDS.read_text()))
    each = [_f1_by_place(run, places) for run in sorted(cell.glob("seed_*"))]
    return [fmean(values) for values in zip(*each, strict=True)]


def _f1_by_place(run: Path, places: Sequence[int]) -> list[float]:
    body = json.loads((run / "scores" / "documents" / "test.json").read_text())
    table = body["levels"]["triples"]["table"]
    if len(table) != len(places):
        raise ValueError(f"{run}: {len(table)} documents were scored, not {len(places)}")
    found = []
    for wanted in range(len(BOUNDS) + 1):
        rows = [row for row, place in zip(table, places, strict=True) if place == wanted]
        gold, predicted, correct = (sum(row[column] for row in rows) for column in range(3))
        found.append(2 * correct / max(gold + predicted, 1))
    return found
