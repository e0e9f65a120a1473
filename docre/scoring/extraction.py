"""What a joint system finds in a document: mentions, entities and relations, without the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from docre.documents import Document
from docre.errors import DataError, Problem

# sentence, first word, one past the last word; or 0, first character, one past the last
Span = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Mentions, entities and relations of one document, gold or predicted.

    Args:
        mentions: All mentions, also those of no entity.
        entities: The mentions and the type of each entity.
        relations: Index of the head entity, of the tail entity, and the relation; ``None`` if the
            document was never labelled.
        lengths: Words of each sentence, so that spans of another cut of the text are noticed;
            empty where they are not known.
        text: Checksum of the raw text; empty where there is none.
        offsets: Characters of each word of the raw text, by sentence.
    """

    mentions: frozenset[Span]
    entities: tuple[tuple[frozenset[Span], str], ...] = ()
    relations: tuple[tuple[int, int, str], ...] | None = ()
    lengths: tuple[int, ...] = ()
    text: str = ""
    offsets: tuple[tuple[tuple[int, int], ...], ...] = ()

    @classmethod
    def of(cls, document: Document) -> Annotation:
        """Take the entities and relations of a document.

        Raises:
            DataError: If an entity has no mention, a mention of a raw text is outside of its words,
                or a relation names an entity that is not there.
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
        found = cls(
            mentions=frozenset().union(*(spans for spans, _ in entities)),
            entities=entities,
            relations=relations,
            lengths=tuple(map(len, document.sentences)),
        )
        if document.text is None or document.offsets is None:
            return found
        checksum = blake2b(document.text.encode("utf-8", "surrogatepass"), digest_size=16)
        return replace(found, text=checksum.hexdigest(), offsets=document.offsets)

    def in_characters(self) -> Annotation:
        """Return the same with spans that count the characters of the raw text."""

        def placed(spans: Iterable[Span]) -> frozenset[Span]:
            words = self.offsets
            return frozenset((0, words[s][a][0], words[s][b - 1][1]) for s, a, b in spans)

        entities = tuple((placed(spans), kind) for spans, kind in self.entities)
        return replace(self, mentions=placed(self.mentions), entities=entities)


def extractions(documents: Iterable[Document]) -> dict[str, Annotation]:
    """Take the entities and relations of documents, by id.

    Raises:
        DataError: If two documents have the same id, or one cannot be scored.
    """
    found: dict[str, Annotation] = {}
    for document in documents:
        if document.id in found:
            message = "another document has the same id"
            raise DataError([Problem("duplicate-title", message, document.id, "id")])
        found[document.id] = Annotation.of(document)
    return found


def comparable(
    gold: Mapping[str, Annotation], predicted: Mapping[str, Annotation]
) -> dict[str, tuple[Annotation, Annotation]]:
    """Return the documents that both have, with spans that count the same things.

    Of a raw text these are characters, so its words may be cut otherwise on either side; without
    one they are words, which both must cut alike.

    Raises:
        DataError: With every document whose spans do not compare.
    """
    pairs = {name: (true, predicted[name]) for name, true in gold.items() if name in predicted}
    problems = []
    for name, (true, made) in sorted(pairs.items()):
        if true.text and made.text:
            if true.text != made.text:
                problems.append(other_text(name, "text"))
            elif true.offsets != made.offsets:
                pairs[name] = true.in_characters(), made.in_characters()
        elif true.lengths and made.lengths and true.lengths != made.lengths:
            problems.append(other_text(name, "sentences"))
    if problems:
        raise DataError(problems)
    return pairs


def other_text(document: str, place: str) -> Problem:
    """Say that a predicted document is of another text than that of the gold.

    Args:
        document: Its id.
        place: ``text``, or ``sentences`` where one side has only these.
    """
    message = (
        "the text differs from that of the gold (where a side has no raw text: its sentences and "
        "words), so spans do not compare"
    )
    return Problem("other-words", message, document, place)


def has_own_entities(gold: Document, predicted: Document) -> bool:
    """Tell whether a predicted document has entities of its own, not those of the gold by number.

    A type that one of the two does not say makes no difference.
    """
    if gold.sentences != predicted.sentences or len(gold.entities) != len(predicted.entities):
        return True
    return any(
        {(m.sentence, m.start, m.end) for m in true.mentions}
        != {(m.sentence, m.start, m.end) for m in made.mentions}
        or (true.type != made.type and "" not in (true.type, made.type))
        for true, made in zip(gold.entities, predicted.entities, strict=True)
    )


def _problems(document: Document) -> list[Problem]:
    """Say what no score could be given for; everything else is merely wrong."""
    problems = []

    def add(code: str, message: str, place: str) -> None:
        problems.append(Problem(code, message, document.id, place))

    words = [len(spans) for spans in document.offsets or ()]
    for number, entity in enumerate(document.entities):
        place = f"entities[{number}].mentions"
        if not entity.mentions:
            add("empty-entity", "the entity has no mention", place)
        for index, m in enumerate(() if document.offsets is None else entity.mentions):
            inside = 0 <= m.sentence < len(words) and 0 <= m.start < m.end <= words[m.sentence]
            if not inside:
                message = f"span {m.start}-{m.end} of sentence {m.sentence} has no characters"
                add("span-out-of-range", message, f"{place}[{index}]")
    count = len(document.entities)
    for number, label in enumerate(document.relations or ()):
        for part, index in (("head", label.head), ("tail", label.tail)):
            if not 0 <= index < count:
                message = f"entity {index} of a document with {count} entities"
                add("entity-out-of-range", message, f"relations[{number}].{part}")
    return problems
