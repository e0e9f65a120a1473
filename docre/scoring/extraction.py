"""What a joint system finds in a document: mentions, entities and relations, without the words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from docre.documents import Document
from docre.errors import DataError, Problem

# sentence, first word, one past the last word
WordSpan = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Extraction:
    """Mentions, entities and relations of one document, gold or predicted.

    Args:
        mentions: All mentions, also those of no entity.
        entities: The mentions and the type of each entity.
        relations: Index of the head entity, of the tail entity, and the relation; ``None`` if the
            document was never labelled.
        lengths: Words of each sentence, so that spans of another cut of the text are noticed;
            empty where they are not known.
    """

    mentions: frozenset[WordSpan]
    entities: tuple[tuple[frozenset[WordSpan], str], ...] = ()
    relations: tuple[tuple[int, int, str], ...] | None = ()
    lengths: tuple[int, ...] = ()

    @classmethod
    def of(cls, document: Document) -> Extraction:
        """Take the entities and relations of a document.

        Raises:
            DataError: If an entity has no mention, or a relation names an entity that is not there.
        """
        problems = _problems(document)
        if problems:
            raise DataError(problems)
        entities = tuple(
            (frozenset((m.sentence, m.start, m.end) for m in entity.mentions), entity.type)
            for entity in document.entities
        )
        relations = None
        if document.relations is not None:
            relations = tuple((r.head, r.tail, r.relation) for r in document.relations)
        return cls(
            mentions=frozenset().union(*(spans for spans, _ in entities)),
            entities=entities,
            relations=relations,
            lengths=tuple(map(len, document.sentences)),
        )


def extractions(documents: Iterable[Document]) -> dict[str, Extraction]:
    """Take the entities and relations of documents, by id.

    Raises:
        DataError: If two documents have the same id, or one cannot be scored.
    """
    found: dict[str, Extraction] = {}
    for document in documents:
        if document.id in found:
            message = "another document has the same id"
            raise DataError([Problem("duplicate-title", message, document.id, "id")])
        found[document.id] = Extraction.of(document)
    return found


def _problems(document: Document) -> list[Problem]:
    """Say what no score could be given for; everything else is merely wrong."""
    count = len(document.entities)
    problems = [
        Problem("empty-entity", "the entity has no mention", document.id, f"entities[{n}].mentions")
        for n, entity in enumerate(document.entities)
        if not entity.mentions
    ]
    for number, label in enumerate(document.relations or ()):
        for part, entity in (("head", label.head), ("tail", label.tail)):
            if not 0 <= entity < count:
                message = f"entity {entity} of a document with {count} entities"
                place = f"relations[{number}].{part}"
                problems.append(Problem("entity-out-of-range", message, document.id, place))
    return problems
