"""Relation sets: which relations there are, in which order, and what they are called."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docre.data.reading import read_bytes
from docre.documents import Document
from docre.errors import DataError, Problem

NO_RELATION = ("Na", "NA")


@dataclass(frozen=True, slots=True)
class RelationSet:
    """The relations of a data set; their order is that of the columns of a model.

    Two sets are equal if their names are, in the same order.

    Args:
        names: Names such as ``P131``, without the no-relation class.
        descriptions: What a name means, for those where it is known.

    Raises:
        DataError: If there are no names, or one is empty or given twice.

    Example:
        >>> relations = RelationSet(("P17", "P131"), {"P17": "country"})
        >>> relations.index("P131"), relations.column("P131")
        (1, 2)
    """

    names: tuple[str, ...]
    descriptions: Mapping[str, str] = field(default_factory=dict, compare=False)
    _indices: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problems = _check(self.names, self.descriptions)
        if problems:
            raise DataError(problems)
        object.__setattr__(self, "_indices", {name: k for k, name in enumerate(self.names)})

    @classmethod
    def docred(cls) -> RelationSet:
        """Return the 96 relations of DocRED and Re-DocRED in the official order."""
        return cls(tuple(name for name, _ in DOCRED_RELATIONS), dict(DOCRED_RELATIONS))

    @classmethod
    def from_documents(cls, documents: Iterable[Document]) -> RelationSet:
        """Collect the relations of labelled documents, the most frequent first, then by name."""
        counts = Counter(label.relation for d in documents for label in d.relations or ())
        return cls(tuple(sorted(counts, key=lambda name: (-counts[name], name))))

    @classmethod
    def from_file(cls, path: str | Path) -> RelationSet:
        """Read a relation set from JSON.

        The file holds a list of names, an object of names and descriptions, or an object of names
        and numbers like DocRED's ``rel2id.json``, whose ``Na`` is left out. The order is that of
        the file, or of the numbers. DocRED's ``rel_info.json`` is not in the official order.

        Raises:
            DataError: If the file is none of these.
        """
        path = Path(path)
        try:
            # Pairs, because a dict would hide a name that is given twice.
            raw = json.loads(read_bytes(path), object_pairs_hook=_Pairs)
            return _from_json(cls, raw)
        except (ValueError, RecursionError) as error:
            if isinstance(error, DataError):
                problems = [
                    problem.at(source=problem.source or str(path)) for problem in error.problems
                ]
                raise DataError(problems, error.hint) from None
            message = f"not JSON: {error}"
            raise DataError([Problem("not-json", message, source=str(path))]) from None

    @property
    def checksum(self) -> str:
        """Twelve hex digits that change with any name and with the order."""
        return hashlib.sha256(json.dumps(self.names).encode()).hexdigest()[:12]

    def index(self, name: str) -> int:
        """Return the position of a relation, counted from 0.

        Raises:
            DataError: If there is no such relation.
        """
        if name not in self._indices:
            shown = ", ".join(self.names[:10]) + (", ..." if len(self) > 10 else "")
            message = f"unknown relation {name!r}; the {len(self)} known ones are {shown}"
            raise DataError([Problem("unknown-relation", message)])
        return self._indices[name]

    def column(self, name: str) -> int:
        """Return the column of a relation in logits, whose column 0 is the threshold class."""
        return self.index(name) + 1

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._indices


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs."""


def _from_json(cls: type[RelationSet], raw: Any) -> RelationSet:
    if not isinstance(raw, _Pairs):
        if not isinstance(raw, list):
            raise _wrong("expected a list or an object")
        return cls(tuple(raw))
    names = tuple(name for name, _ in raw)
    if all(type(value) is str for _, value in raw):
        return cls(names, dict(raw))
    if not all(type(value) is int for _, value in raw):
        raise _wrong("expected all values to be descriptions, or all to be numbers")
    ordered = sorted(raw, key=lambda pair: pair[1])
    if ordered[0][0] in NO_RELATION:
        ordered = ordered[1:]
    first = ordered[0][1] if ordered else 0
    expected = list(range(first, first + len(ordered)))
    if [number for _, number in ordered] != expected or first not in (0, 1):
        raise _wrong(
            "the numbers of the relations must be 1, 2, 3, ... with Na at 0, or 0, 1, 2, ..."
        )
    return cls(tuple(name for name, _ in ordered))


def _check(names: tuple[str, ...], descriptions: Mapping[str, str]) -> list[Problem]:
    problems = []
    if not names:
        problems.append(Problem("no-relations", "a relation set needs at least one relation"))
    for k, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            message = f"a relation is a name that is not empty, not {name!r}"
            problems.append(Problem("empty-relation", message, field=f"names[{k}]"))
        elif name in names[:k]:
            message = f"relation {name!r} is given twice"
            problems.append(Problem("duplicate-relation", message, field=f"names[{k}]"))
        elif name in NO_RELATION:
            message = f"{name!r} is no relation; the threshold class is added by the model"
            problems.append(Problem("no-relation-class", message, field=f"names[{k}]"))
    for name in descriptions:
        if name not in names:
            message = f"a description of {name!r}, which is not among the names"
            problems.append(Problem("unknown-relation", message, field="descriptions"))
    return problems


def _wrong(message: str) -> DataError:
    return DataError([Problem("wrong-type", message)])


# Entity types of DocRED in the order of its ner2id.json, where BLANK is 0.
DOCRED_TYPES = ("ORG", "LOC", "TIME", "PER", "MISC", "NUM")

# Wikidata properties with their English labels; the k-th one has number k in DocRED's rel2id.json.
DOCRED_RELATIONS = (
    ("P17", "country"),
    ("P131", "located in the administrative territorial entity"),
    ("P27", "country of citizenship"),
    ("P150", "contains administrative territorial entity"),
    ("P577", "publication date"),
    ("P175", "performer"),
    ("P569", "date of birth"),
    ("P570", "date of death"),
    ("P161", "cast member"),
    ("P264", "record label"),
    ("P527", "has part"),
    ("P361", "part of"),
    ("P495", "country of origin"),
    ("P19", "place of birth"),
    ("P571", "inception"),
    ("P54", "member of sports team"),
    ("P102", "member of political party"),
    ("P463", "member of"),
    ("P3373", "sibling"),
    ("P40", "child"),
    ("P30", "continent"),
    ("P50", "author"),
    ("P1441", "present in work"),
    ("P1001", "applies to jurisdiction"),
    ("P69", "educated at"),
    ("P26", "spouse"),
    ("P607", "conflict"),
    ("P57", "director"),
    ("P159", "headquarters location"),
    ("P22", "father"),
    ("P400", "platform"),
    ("P1344", "participant of"),
    ("P206", "located in or next to body of water"),
    ("P127", "owned by"),
    ("P170", "creator"),
    ("P178", "developer"),
    ("P20", "place of death"),
    ("P1412", "languages spoken, written or signed"),
    ("P155", "follows"),
    ("P118", "league"),
    ("P710", "participant"),
    ("P6", "head of government"),
    ("P108", "employer"),
    ("P276", "location"),
    ("P156", "followed by"),
    ("P674", "characters"),
    ("P166", "award received"),
    ("P194", "legislative body"),
    ("P123", "publisher"),
    ("P140", "religion"),
    ("P800", "notable work"),
    ("P449", "original network"),
    ("P58", "screenwriter"),
    ("P35", "head of state"),
    ("P179", "series"),
    ("P706", "located on terrain feature"),
    ("P162", "producer"),
    ("P37", "official language"),
    ("P241", "military branch"),
    ("P31", "instance of"),
    ("P403", "mouth of the watercourse"),
    ("P580", "start time"),
    ("P137", "operator"),
    ("P585", "point in time"),
    ("P112", "founded by"),
    ("P86", "composer"),
    ("P176", "manufacturer"),
    ("P749", "parent organization"),
    ("P937", "work location"),
    ("P36", "capital"),
    ("P576", "dissolved, abolished or demolished"),
    ("P355", "subsidiary"),
    ("P136", "genre"),
    ("P364", "original language of work"),
    ("P272", "production company"),
    ("P172", "ethnic group"),
    ("P205", "basin country"),
    ("P279", "subclass of"),
    ("P1376", "capital of"),
    ("P171", "parent taxon"),
    ("P25", "mother"),
    ("P488", "chairperson"),
    ("P582", "end time"),
    ("P740", "location of formation"),
    ("P840", "narrative location"),
    ("P1366", "replaced by"),
    ("P676", "lyrics by"),
    ("P1336", "territory claimed by"),
    ("P1056", "product or material produced"),
    ("P551", "residence"),
    ("P39", "position held"),
    ("P1365", "replaces"),
    ("P737", "influenced by"),
    ("P190", "sister city"),
    ("P807", "separated from"),
    ("P1198", "unemployment rate"),
)
