"""What is found in a document, as people and programs use it: triples with names and places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from docre.documents import Document, Relation
from docre.errors import DataError, Problem


class TextMention(NamedTuple):
    """One place where an entity is named.

    Args:
        text: As it stands there.
        start: First character, counted in :attr:`Extraction.text`.
        end: One past the last character.
        sentence: Index of the sentence.
    """

    text: str
    start: int
    end: int
    sentence: int


@dataclass(frozen=True, slots=True)
class TextEntity:
    """One thing that a document speaks of.

    Args:
        index: Its number in the document.
        name: Its longest mention.
        type: Its type; empty if nobody said.
        id: Identifier in a knowledge base; empty if nobody said.
        mentions: Where it is named.
    """

    index: int
    name: str
    type: str
    id: str
    mentions: tuple[TextMention, ...]


@dataclass(frozen=True, slots=True)
class Triple:
    """A relation that was found between two entities of a document.

    Args:
        head: Where it begins.
        relation: Its name, such as ``P131``.
        tail: Where it ends.
        relation_name: Its name for people.
        score: What the model says of it: a logit, or the probability of a joint model.
        margin: How far that is above the threshold; ``None`` if nobody said.
        probability: That the triple is right, as calibrated on development data; ``None`` for a
            model that was not calibrated.
        evidence: Sentences it was read from; empty if the model does not say.
    """

    head: TextEntity
    relation: str
    tail: TextEntity
    relation_name: str
    score: float | None = None
    margin: float | None = None
    probability: float | None = None
    evidence: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.head.name} -- {self.relation_name} --> {self.tail.name}"


@dataclass(frozen=True, repr=False)
class Extraction:
    """A document and what was found in it.

    Args:
        document: With its entities; ``relations`` are the triples, with score and, in ``extra``,
            margin and probability.
        descriptions: Names of relations for people.
    """

    document: Document
    descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the document."""
        return self.document.id

    @cached_property
    def _layout(self) -> tuple[str, Sequence[Sequence[tuple[int, int]]]]:
        return self.document.readable()

    @property
    def text(self) -> str:
        """The raw text; of a document without one, its words joined by blanks."""
        return self._layout[0]

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The text of each sentence."""
        text, offsets = self._layout
        return tuple(text[words[0][0] : words[-1][1]] if words else "" for words in offsets)

    @cached_property
    def entities(self) -> tuple[TextEntity, ...]:
        """All entities, also those of no triple."""
        text, offsets = self._layout
        made = []
        for number, entity in enumerate(self.document.entities):
            mentions = []
            for one in entity.mentions:
                words = offsets[one.sentence]
                start, end = words[one.start][0], words[one.end - 1][1]
                mentions.append(TextMention(text[start:end], start, end, one.sentence))
            name = max((mention.text for mention in mentions), key=len, default="")
            made.append(TextEntity(number, name, entity.type, entity.id, tuple(mentions)))
        return tuple(made)

    @cached_property
    def triples(self) -> tuple[Triple, ...]:
        """What was found, in the order of the pairs."""
        entities = self.entities
        return tuple(
            Triple(
                entities[one.head],
                one.relation,
                entities[one.tail],
                self.descriptions.get(one.relation) or one.relation,
                one.score,
                margin_of(one),
                probability_of(one),
                one.evidence or (),
            )
            for one in self.document.relations or ()
        )

    def __len__(self) -> int:
        return len(self.document.relations or ())

    def __repr__(self) -> str:
        counts = f"{len(self.document.entities)} entities, {len(self)} triples"
        return f"Extraction({self.id!r}, {counts})"


def margin_of(relation: Relation) -> float | None:
    """Return how far a predicted relation is above its threshold."""
    return (relation.extra or {}).get("margin")


def probability_of(relation: Relation) -> float | None:
    """Return the calibrated probability of a predicted relation."""
    return (relation.extra or {}).get("probability")


def each_once(extractions: Iterable[Extraction]) -> Iterator[Extraction]:
    """Yield what was found, for whoever tells documents by their ids.

    Raises:
        DataError: If two have one id.
    """
    seen: set[str] = set()
    for one in extractions:
        if one.id in seen:
            message = "another document has the same id: give each its own"
            raise DataError([Problem("duplicate-title", message, one.id, "id")])
        seen.add(one.id)
        yield one
