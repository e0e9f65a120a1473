"""Counts by document, kept beside the scores so that runs can be compared later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from docre.data.writing import atomic_file
from docre.errors import DocreError
from docre.scoring import Convention, Counts, JointScores, Scores
from docre.scoring.level_counts import LevelCounts
from docre.scoring.predictions import Ints
from docre.scoring.rates import Floats

# triples of given entities; the other names are those of the levels of joint extraction
TRIPLES = "triples"
Levels = Mapping[str, Counts | LevelCounts]


class _Stored(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The counts of one level, ``[D, C]``; what ``Counts`` has and ``LevelCounts`` has not."""

    documents: tuple[str, ...]
    table: list[list[int]]
    unknown: int
    facts: tuple[str, ...] = ()
    has_evidence: bool = False
    convention: Convention | None = None


class _File(msgspec.Struct):
    levels: dict[str, _Stored]


def counts_path(scores: Path) -> Path:
    """Return where the counts of a score file lie: ``scores/documents/SPLIT.json``."""
    return scores.parent / "documents" / scores.name


def write_counts(path: Path, scores: object) -> None:
    """Write the counts by document of scores; those of a class of one's own have none.

    Args:
        path: The score file they belong to.
        scores: Of triples or of joint extraction.
    """
    if isinstance(scores, (Scores, JointScores)):
        with atomic_file(counts_path(path)) as file:
            file.write(msgspec.json.encode(_record(scores)))


def _record(scores: Scores | JointScores) -> dict[str, Any]:
    if isinstance(scores, JointScores):
        levels = {name: scores.counts[name] for name in scores.reported()}
        return {"levels": {name: _plain(counts) for name, counts in levels.items()}}
    counts = scores.counts
    more = {
        "facts": counts.facts,
        "has_evidence": counts.has_evidence,
        "convention": asdict(counts.convention),
    }
    return {"levels": {TRIPLES: _plain(counts) | more}}


def _plain(counts: Counts | LevelCounts) -> dict[str, Any]:
    table = counts.table.tolist()
    return {"documents": counts.documents, "table": table, "unknown": counts.unknown}


def read_counts(path: Path) -> dict[str, Counts | LevelCounts]:
    """Read the counts of each level.

    Raises:
        DocreError: If the file is damaged or something else.
    """
    try:
        levels = msgspec.json.decode(path.read_bytes(), type=_File).levels
        return {name: _counts(stored) for name, stored in levels.items()}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DocreError(f"{path} has no counts that can be read: {error}") from error


def _counts(stored: _Stored) -> Counts | LevelCounts:
    width = 3 if stored.convention is None else 6 + len(stored.facts)
    table = np.array(stored.table, np.int64).reshape(len(stored.documents), width)
    if stored.convention is None:
        return LevelCounts(stored.documents, table, stored.unknown)
    return Counts(
        documents=stored.documents,
        table=table,
        facts=stored.facts,
        unknown=stored.unknown,
        has_evidence=stored.has_evidence,
        convention=stored.convention,
    )


def flat_rates(level: str, counts: Counts | LevelCounts, totals: Ints) -> dict[str, Floats]:
    """Return the scores of a level under the names they have in a score file.

    Args:
        level: Name of the level.
        counts: Its counts.
        totals: Sums over documents, ``[..., C]``.
    """
    rates = counts.rates(totals)
    if isinstance(counts, LevelCounts):
        return {f"{level}_{name}": values for name, values in rates.items()}
    for name in counts.facts[:1]:
        # as in Scores.to_dict: without a name it is that of the first facts
        for kind in ("ign_f1", "ign_precision"):
            first = rates[f"{kind}/{name}"]
            rates = {kind: first, **rates}
    return rates
