"""Facts known from training, which Ign F1 leaves out of the precision."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from docre.documents import Document
from docre.errors import DataError, Problem

NameTriple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class FactLabel:
    """Which facts a score left out: their name, how many there are, and their checksum."""

    name: str
    count: int
    checksum: str

    def __str__(self) -> str:
        return f"{self.name} ({self.count:,} facts, {self.checksum[:12]})"


@dataclass(frozen=True)
class Facts:
    """A set of (head name, tail name, relation).

    Those of a file are read by :func:`docre.data.fact_files.read_facts`.

    Args:
        name: Where they are from, shown beside every Ign F1.
        triples: The facts.
    """

    name: str
    triples: frozenset[NameTriple] = field(repr=False)

    @property
    def label(self) -> FactLabel:
        """Name, number and checksum; equal facts have equal checksums whatever file they are in."""
        digest = hashlib.sha256(msgspec.json.encode(sorted(self.triples))).hexdigest()
        return FactLabel(self.name, len(self.triples), digest)

    @classmethod
    def from_documents(cls, documents: Iterable[Document], name: str) -> Facts:
        """Collect every pair of mention names of every labelled triple; keeps no document.

        Raises:
            DataError: If no document is labelled.
        """
        triples: set[NameTriple] = set()
        labelled = False
        for document in documents:
            labelled = labelled or document.relations is not None
            triples.update(facts_of(document))
        if not labelled:
            message = "no labelled document to take facts from"
            raise DataError([Problem("no-facts", message, source=name)])
        return cls(name, frozenset(triples))


def entity_names(document: Document) -> list[set[str]]:
    """Return the names of each entity, as the data set writes them."""
    return [
        {mention.surface or document.surface(mention) for mention in entity.mentions}
        for entity in document.entities
    ]


def facts_of(document: Document) -> Iterator[NameTriple]:
    """Yield every pair of mention names of every labelled triple."""
    names = entity_names(document)
    for label in document.relations or ():
        for head in names[label.head]:
            for tail in names[label.tail]:
                yield head, tail, label.relation


def is_seen(
    heads: Collection[str], tails: Collection[str], relation: str, triples: Collection[NameTriple]
) -> bool:
    """Say whether any pair of names is a known fact."""
    return any((head, tail, relation) in triples for head in heads for tail in tails)
