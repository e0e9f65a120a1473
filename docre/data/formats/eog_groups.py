"""Groups of the ``.data`` form: which pairs and relations they stand for, and making them anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from docre.documents import Document, Entity, Relation
from docre.errors import DataError, Problem

NO_RELATION = "NR"
LEFT_OUT = "not_include"


class Group(NamedTuple):
    """One group with its entities as numbers; the rest as the file has it."""

    first: int
    second: int
    label: str
    direction: str
    cross: str
    near_first: str
    near_second: str

    @property
    def pair(self) -> tuple[int, int]:
        """Head and tail."""
        if self.direction == "L2R":
            return self.first, self.second
        return self.second, self.first

    @property
    def relation(self) -> str:
        """The middle of the label; the numbers beside it say that it leads from 1 to 2."""
        return self.label.split(":", 1)[1].rsplit(":", 1)[0]


def read_labels(
    groups: Iterable[Group], entities: Sequence[Entity]
) -> tuple[tuple[tuple[int, int], ...], tuple[Relation, ...], list[int]]:
    """Return candidates, row-major; relations, by group; and which groups repeat a relation."""
    numbers: dict[str, int] = {}
    for index, entity in enumerate(entities):
        numbers.setdefault(entity.id, index)
    pairs: set[tuple[int, int]] = set()
    relations: dict[tuple[int, int, str], Relation] = {}
    repeated = []
    for g, group in enumerate(groups):
        if group.label == LEFT_OUT:
            continue
        head, tail = (numbers[entities[number].id] for number in group.pair)
        pairs.add((head, tail))
        triple = (head, tail, group.relation)
        if triple in relations:
            repeated.append(g)
        elif group.relation != NO_RELATION:
            relations[triple] = Relation(*triple)
    return tuple(sorted(pairs)), tuple(relations.values()), repeated


def groups_as_read(document: Document) -> list[Group]:
    """Return the groups of the file, or none where the document has changed since."""
    kept: Any = document.extra.get("eog")
    try:
        groups = [Group(*group) for group in kept["groups"]]
        candidates, relations, _ = read_labels(groups, document.entities)
        fits = bool(kept["entities"] == len(document.entities))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return []  # none there, or an extra of somebody else's making
    fits = fits and candidates == document.candidates
    return groups if fits and _triples(relations) == _triples(document.relations) else []


def _triples(relations: Iterable[Relation] | None) -> set[tuple[int, int, str]]:
    return {(label.head, label.tail, label.relation) for label in relations or ()}


def new_groups(document: Document) -> Iterator[Group]:
    """Make a group of every pair to judge, and of every entity in no pair and itself."""
    names: dict[tuple[int, int], list[str]] = {pair: [] for pair in document.pairs()}
    for label in document.relations or ():
        if label.relation == NO_RELATION:
            raise unwritable(document, f"{NO_RELATION} is no name for a relation", "relations")
        names.setdefault((label.head, label.tail), []).append(label.relation)
    paired = {entity for pair in names for entity in pair}
    for (head, tail), found in names.items():
        for name in found or [NO_RELATION]:
            yield _new_group(document, head, tail, f"1:{name}:2")
    for index in range(len(document.entities)):
        if index not in paired:
            yield _new_group(document, index, index, LEFT_OUT)


def _new_group(document: Document, first: int, second: int, label: str) -> Group:
    firsts, seconds = document.entities[first].mentions, document.entities[second].mentions
    shared = {m.sentence for m in firsts} & {m.sentence for m in seconds}
    cross = "NON-CROSS" if shared else "CROSS"
    return Group(first, second, label, "L2R", cross, "", "")


def unwritable(document: Document, message: str, place: str) -> DataError:
    """Return the error for a document that the form has no way to write."""
    return DataError([Problem("cannot-write", message, document.id, place)])
