"""The document: readers produce it, writers consume it, ``predict`` takes and returns it.

Words are counted from 0 inside their sentence, spans are half-open, entities are counted in the
order of ``Document.entities``. The classes are plain frozen data and do not check themselves, so
that reading a large corpus stays fast; :func:`check` says everything that is wrong with one
document, and the constructors for people, :meth:`Document.from_words` and
:meth:`Document.from_text`, run it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Any

from docre.checking import check as check  # these four are had from here
from docre.checking import check_char_spans as check_char_spans
from docre.checking import relation_problems as relation_problems
from docre.checking import require_valid
from docre.checking import span_problem as span_problem
from docre.construction import Arguments
from docre.errors import DataError, Problem
from docre.segmentation import split_text

Extra = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where an entity is named.

    Args:
        sentence: Index of the sentence.
        start: First word in that sentence.
        end: One past the last word.
        type: Entity type as annotated on this mention.
        surface: Text of the mention as the source file gives it.
        extra: Fields of the source format that the schema has no place for.
    """

    sentence: int
    start: int
    end: int
    type: str = ""
    surface: str = ""
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """All mentions of one thing.

    Args:
        mentions: At least one, in the order of the source.
        type: Type of the entity; that of its first mention unless the source says otherwise.
        id: Identifier in a knowledge base, such as ``MESH:D009765``.
        extra: Fields of the source format that the schema has no place for.
    """

    mentions: tuple[Mention, ...]
    type: str = ""
    id: str = ""
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A labelled or predicted triple.

    Args:
        head: Index of the head entity.
        tail: Index of the tail entity.
        relation: Name of the relation, such as ``P131``.
        evidence: Sentences that support it; ``None`` where evidence was never annotated.
        score: Score of a prediction; ``None`` for a label.
        extra: Fields of the source format that the schema has no place for.
    """

    head: int
    tail: int
    relation: str
    evidence: tuple[int, ...] | None = None
    score: float | None = None
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its entities and, where they are known, its relations.

    Args:
        id: Title or identifier, unique within a data set.
        sentences: Words by sentence.
        entities: The entities.
        relations: The labels; ``None`` says that the document was never labelled, which is not the
            same as ``()``, labelled and found empty.
        text: The raw text, where the source has one.
        offsets: Character span in ``text`` of every word, by sentence.
        candidates: Ordered pairs that may carry a relation, row-major, for data sets that restrict
            them by type; ``None`` means all pairs with head != tail.
        extra: Fields of the source format that the schema has no place for.

    Example:
        >>> document = Document.from_text(
        ...     "demo", "Ada Lovelace was born in London.", {"ada": [(0, 12)], "london": [(25, 31)]}
        ... )
        >>> document.sentences
        (('Ada', 'Lovelace', 'was', 'born', 'in', 'London', '.'),)
        >>> document.surface(document.entities[1].mentions[0])
        'London'
    """

    id: str
    sentences: tuple[tuple[str, ...], ...]
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] | None = None
    text: str | None = None
    offsets: tuple[tuple[tuple[int, int], ...], ...] | None = None
    candidates: tuple[tuple[int, int], ...] | None = None
    extra: Extra = field(default_factory=dict)

    @property
    def num_words(self) -> int:
        """Number of words in all sentences."""
        return sum(map(len, self.sentences))

    @property
    def num_pairs(self) -> int:
        """Number of ordered pairs a model has to judge."""
        n = len(self.entities)
        return n * (n - 1) if self.candidates is None else len(self.candidates)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the ordered pairs to judge, row-major whatever the labels are."""
        if self.candidates is not None:
            yield from self.candidates
            return
        n = len(self.entities)
        yield from ((head, tail) for head in range(n) for tail in range(n) if head != tail)

    def surface(self, mention: Mention) -> str:
        """Return the text of a mention, taken from the raw text where there is one."""
        span = self.char_span(mention)
        if span is not None and self.text is not None:
            return self.text[span[0] : span[1]]
        return " ".join(self.sentences[mention.sentence][mention.start : mention.end])

    def char_span(self, mention: Mention) -> tuple[int, int] | None:
        """Return where a mention stands in ``text``, or ``None`` without a raw text."""
        if self.offsets is None:
            return None
        words = self.offsets[mention.sentence]
        return words[mention.start][0], words[mention.end - 1][1]

    def readable(self) -> tuple[str, tuple[tuple[tuple[int, int], ...], ...]]:
        """Return the text, and where in it each word stands, by sentence.

        That of a document without a raw text is its words with one blank between them.
        """
        if self.text is not None and self.offsets is not None:
            return self.text, self.offsets
        offsets, position = [], 0
        for words in self.sentences:
            ends = [*accumulate((len(word) + 1 for word in words), initial=position)]
            offsets.append(tuple((start, end - 1) for start, end in pairwise(ends)))
            position = ends[-1]
        return " ".join(word for words in self.sentences for word in words), tuple(offsets)

    def name(self, entity: int) -> str:
        """Return the longest mention of an entity: how a person would call it."""
        mentions = self.entities[entity].mentions
        names = (mention.surface or self.surface(mention) for mention in mentions)
        return max(names, key=len, default="")

    @classmethod
    def from_words(
        cls,
        id: str,
        sentences: Iterable[Iterable[str]],
        entities: Iterable[Entity | Iterable[Mention | tuple[int, int, int]]] = (),
        relations: Iterable[Relation | tuple[int, int, str]] | None = None,
        extra: Extra | None = None,
    ) -> Document:
        """Build a checked document from words.

        Args:
            id: Title or identifier.
            sentences: Words by sentence.
            entities: An entity, or its mentions as ``(sentence, start, end)`` in words.
            relations: Labels, or ``(head, tail, name)``; leave out for an unlabelled document.
            extra: Anything else to carry along.

        Raises:
            DataError: With everything that is wrong, by entity, mention and field.
        """
        arguments = Arguments(id)
        document = cls(
            id=id,
            sentences=arguments.sentences(sentences),
            entities=tuple(
                _entity(arguments, entity, f"entities[{number}]")
                for number, entity in enumerate(
                    arguments.items(entities, "a list of entities", "entities")
                )
            ),
            relations=_relations(arguments, relations),
            extra=extra or {},
        )
        arguments.done()
        return require_valid(document)

    @classmethod
    def from_text(
        cls,
        id: str,
        text: str,
        entities: Mapping[str, Iterable[tuple[int, int]]]
        | Iterable[Iterable[tuple[int, int]]] = (),
        relations: Iterable[Relation | tuple[int | str, int | str, str]] | None = None,
        types: Sequence[str] | None = None,
        extra: Extra | None = None,
    ) -> Document:
        """Build a checked document from raw text and character offsets.

        The text is split into sentences and words by rule; a mention always begins and ends at a
        word border, because words are also split there, and never crosses a sentence border.

        Args:
            id: Title or identifier.
            text: The raw text.
            entities: Character spans of each entity's mentions; the keys of a mapping become the
                entities' ids.
            relations: Labels, or ``(head, tail, name)``, where entities that have a key may be
                named by it; leave out for an unlabelled document.
            types: One type per entity.
            extra: Anything else to carry along.

        Raises:
            DataError: With everything that is wrong, by entity, mention and field.
        """
        keyed = isinstance(entities, Mapping)
        ids = [str(key) for key in entities] if isinstance(entities, Mapping) else []
        arguments = Arguments(id)
        arguments.text(text, "text")
        listed = entities.values() if isinstance(entities, Mapping) else entities
        spans = arguments.char_spans(listed)
        names = [""] * len(spans)
        if types is not None:
            given = enumerate(arguments.items(types, "a list of types", "types"))
            names = [arguments.text(kind, f"types[{number}]") for number, kind in given]
        labels = _relations(arguments, relations, ids)
        arguments.done()
        problems = check_char_spans(id, text, spans)
        if len(names) != len(spans):
            message = f"{len(names)} types for {len(spans)} entities"
            problems.append(Problem("wrong-type", message, id, "types"))
        if problems:
            raise DataError(problems)
        layout = split_text(text, [span for mentions in spans for span in mentions])
        document = cls(
            id=id,
            sentences=layout.words(text),
            entities=tuple(
                Entity(
                    mentions=tuple(
                        Mention(*layout.locate(start, end), type=kind, surface=text[start:end])
                        for start, end in mentions
                    ),
                    type=kind,
                    id=ids[index] if keyed else "",
                )
                for index, (mentions, kind) in enumerate(zip(spans, names, strict=True))
            ),
            relations=labels,
            text=text,
            offsets=layout.offsets,
            extra=extra or {},
        )
        return require_valid(document)


def _entity(arguments: Arguments, given: Any, place: str) -> Entity:
    listed = given.mentions if isinstance(given, Entity) else given
    mentions = tuple(
        _mention(arguments, mention, f"{place}.mentions[{number}]")
        for number, mention in enumerate(arguments.items(listed, "a list of mentions", place))
    )
    if isinstance(given, Entity):
        arguments.text(given.type, f"{place}.type")
        return replace(given, mentions=mentions)
    return Entity(mentions, type=mentions[0].type if mentions else "")


def _mention(arguments: Arguments, given: Any, place: str) -> Mention:
    names = ("sentence", "start", "end")
    if not isinstance(given, Mention):
        sentence, start, end = arguments.numbers(given, names, place)
        return Mention(sentence, start, end)
    span = (given.sentence, given.start, given.end)
    sentence, start, end = arguments.numbers(span, names, place)
    arguments.text(given.type, f"{place}.type")
    return replace(given, sentence=sentence, start=start, end=end)


def _relations(
    arguments: Arguments, given: Any, keys: Sequence[str] = ()
) -> tuple[Relation, ...] | None:
    if given is None:
        return None
    listed = arguments.items(given, "a list of relations", "relations")
    made = (_relation(arguments, item, keys, f"relations[{n}]") for n, item in enumerate(listed))
    return tuple(made)


def _relation(arguments: Arguments, given: Any, keys: Sequence[str], place: str) -> Relation:
    known = isinstance(given, Relation)
    parts = (given.head, given.tail, given.relation) if known else given
    parts = arguments.parts(parts, ("head", "tail", "name"), place)
    if parts is None:
        return Relation(0, 0, "")
    label = Relation(
        head=arguments.entity(parts[0], keys, f"{place}.head"),
        tail=arguments.entity(parts[1], keys, f"{place}.tail"),
        relation=arguments.text(parts[2], f"{place}.relation"),
    )
    if not known:
        return label
    return replace(
        label,
        evidence=arguments.evidence(given.evidence, f"{place}.evidence"),
        score=arguments.score(given.score, f"{place}.score"),
        extra=given.extra,
    )
