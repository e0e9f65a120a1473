"""What can be wrong with a document that is otherwise plain data of the right types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from docre.errors import DataError, Problem
from docre.segmentation import Span

if TYPE_CHECKING:  # documents check themselves when people build them
    from docre.documents import Document, Mention, Relation


def check_char_spans(document_id: str, text: str, spans: Sequence[Sequence[Span]]) -> list[Problem]:
    """Say which character spans of a raw text cannot be mentions."""
    problems = []
    for index, mentions in enumerate(spans):
        for number, (start, end) in enumerate(mentions):
            place = f"entities[{index}].mentions[{number}]"
            if not 0 <= start < end <= len(text):
                message = f"span {start}-{end} is not inside the {len(text):,} characters"
                problems.append(Problem("span-out-of-range", message, document_id, place))
            elif not text[start:end].strip():
                message = f"span {start}-{end} holds only blanks"
                problems.append(Problem("empty-mention", message, document_id, place))
    return problems


def check(
    document: Document,
    relations: Collection[str] | None = None,
    types: Collection[str] | None = None,
) -> list[Problem]:
    """Say everything that is wrong with a document.

    Args:
        document: Any document, however it came about.
        relations: Known relation names; ``None`` accepts every name.
        types: Known entity types; ``None`` accepts every type, and no type is always fine.

    Returns:
        Problems in document order, empty for a valid document.
    """
    problems: list[Problem] = []

    def add(code: str, message: str, place: str) -> None:
        problems.append(Problem(code, message, document.id, place))

    if not document.id:
        add("empty-id", "the document has no title or id", "id")
    lengths = [len(words) for words in document.sentences]
    for index, entity in enumerate(document.entities):
        if not entity.mentions:
            add("empty-entity", "the entity has no mention", f"entities[{index}].mentions")
        if types is not None and entity.type and entity.type not in types:
            add("unknown-type", f"unknown entity type {entity.type!r}", f"entities[{index}].type")
        for number, mention in enumerate(entity.mentions):
            # the test stands here too: a call for each mention would be most of the time
            sentence = mention.sentence
            if not (
                0 <= sentence < len(lengths)
                and 0 <= mention.start < mention.end <= lengths[sentence]
            ):
                wrong = span_problem(mention, lengths)
                add("span-out-of-range", wrong, f"entities[{index}].mentions[{number}]")
            if types is not None and mention.type and mention.type not in types:
                place = f"entities[{index}].mentions[{number}].type"
                add("unknown-type", f"unknown entity type {mention.type!r}", place)
    seen: set[tuple[int, int, str]] = set()
    allowed = frozenset(document.candidates or ())
    entities, sentences = range(len(document.entities)), range(len(lengths))
    for index, label in enumerate(document.relations or ()):
        if not _is_plain(label, entities, sentences, relations):
            for code, message, part in relation_problems(label, document, relations):
                add(code, message, f"relations[{index}].{part}")
        key = (label.head, label.tail, label.relation)
        if key in seen:
            message = f"{label.relation} from entity {label.head} to {label.tail} is listed twice"
            add("duplicate-relation", message, f"relations[{index}]")
        seen.add(key)
        if document.candidates is not None and key[:2] not in allowed:
            message = f"entities {label.head} and {label.tail} are not among the candidate pairs"
            add("not-a-candidate", message, f"relations[{index}]")
    if document.candidates is not None:
        n = len(document.entities)
        bad = [(h, t) for h, t in document.candidates if not (0 <= h < n and 0 <= t < n and h != t)]
        if bad:
            add("bad-candidate", f"{bad[0]} is not a pair of two of the {n} entities", "candidates")
        elif list(document.candidates) != sorted(set(document.candidates)):
            add("bad-candidate", "pairs must be row-major and without repeats", "candidates")
    return problems


def span_problem(mention: Mention, lengths: Sequence[int]) -> str:
    """Say what is wrong with a mention's span, or return an empty string."""
    if not 0 <= mention.sentence < len(lengths):
        return f"sentence {mention.sentence} of a document with {len(lengths)} sentences"
    words = lengths[mention.sentence]
    if not 0 <= mention.start < mention.end <= words:
        span = f"{mention.start}-{mention.end}"
        return f"span {span} is not inside the {words} words of sentence {mention.sentence}"
    return ""


def _is_plain(
    label: Relation, entities: range, sentences: range, relations: Collection[str] | None
) -> bool:
    """Tell whether :func:`relation_problems` can be left out, as for nearly all labels."""
    return (
        label.head in entities
        and label.tail in entities
        and label.head != label.tail
        and label.score is None
        and (relations is None or label.relation in relations)
        and (not label.evidence or all(map(sentences.__contains__, label.evidence)))
    )


def relation_problems(
    label: Relation, document: Document, relations: Collection[str] | None
) -> Iterator[tuple[str, str, str]]:
    """Yield ``(code, message, field)`` for everything wrong with one relation by itself."""
    n = len(document.entities)
    for part, entity in (("head", label.head), ("tail", label.tail)):
        if not 0 <= entity < n:
            yield "entity-out-of-range", f"entity {entity} of a document with {n} entities", part
    if label.head == label.tail:
        yield "self-relation", f"head and tail are both entity {label.head}", "head"
    if relations is not None and label.relation not in relations:
        yield "unknown-relation", f"unknown relation {label.relation!r}", "relation"
    for sentence in label.evidence or ():
        if not 0 <= sentence < len(document.sentences):
            count = len(document.sentences)
            message = f"evidence sentence {sentence} of a document with {count} sentences"
            yield "evidence-out-of-range", message, "evidence"
    if label.score is not None and not isfinite(label.score):
        yield "bad-score", f"the score {label.score} is not a finite number", "score"


def require_valid(
    document: Document,
    relations: Collection[str] | None = None,
    types: Collection[str] | None = None,
) -> Document:
    """Return the document, or raise a :class:`DataError` with everything that is wrong with it."""
    problems = check(document, relations, types)
    if problems:
        raise DataError(problems)
    return document
