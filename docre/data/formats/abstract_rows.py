"""The rows an annotated abstract is made of, and how to get them back from a document.

Mentions are character spans of ``title + " " + abstract`` with an id each, relations name two ids.
:func:`docre.data.formats.abstracts.assemble` makes a document of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from docre.documents import Document, Extra
from docre.errors import DataError, Problem
from docre.segmentation import Span

# Ids that say "there is a mention but nobody knows of what".
UNLINKED = ("", "-", "-1")


@dataclass(frozen=True, slots=True)
class Rules:
    """In what the formats differ.

    Args:
        key: Key of ``Document.extra`` under which the rest is kept.
        unlinked: Id written for a mention of nothing known.
        concepts: Whether ``A|B`` names two entities and every unlinked mention is an entity of its
            own; otherwise the id is taken as it stands.
        last_type: Whether an entity has the type of its last mention instead of its first.
        pair_types: Types of head and tail of the candidate pairs; empty for no restriction.
        relations: Relations that are kept; ``None`` for all.
    """

    key: str
    unlinked: str
    concepts: bool
    last_type: bool
    pair_types: tuple[tuple[str, str], ...]
    relations: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One mention as a file has it."""

    start: int
    end: int
    surface: str
    type: str
    id: str
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class IdTriple:
    """One relation as a file has it, between two ids."""

    type: str
    subj: str
    obj: str
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Abstract:
    """One record of a file; ``title`` is ``None`` for a text without one."""

    id: str
    text: str
    title: str | None
    rows: Sequence[Row]
    triples: Sequence[IdTriple] | None
    more: Extra = field(default_factory=dict)


def disassemble(document: Document, rules: Rules) -> Abstract:
    """Return a document as the record that :func:`assemble` makes it from.

    A document that was read comes out as it was. One from elsewhere gets what it lacks: words are
    joined by blanks, the first sentence is the title, entities without id are ``E0``, ``E1``...

    Raises:
        DataError: If two entities have the same id, which would make them one.
    """
    document = _with_text(document)
    ids = written_ids(document, rules)
    kept = document.extra.get(rules.key)
    kept = kept if isinstance(kept, dict) else {}
    rows = mention_rows(document, ids)
    order = kept.get("order", ())
    if sorted(order) == list(range(len(rows))):
        rows = [rows[number] for number in order]
    title = document.extra.get("title")
    text = document.text or ""
    known = isinstance(title, str) and text.startswith(f"{title} ")
    triples = _triples(document, ids, kept)
    return Abstract(
        document.id, text, title if known else None, rows, triples, kept.get("keys", {})
    )


def split_title(document: Document, abstract: Abstract) -> tuple[str, str]:
    """Return title and abstract, parted after the first sentence if the document has no title."""
    text = abstract.text
    if abstract.title is not None:
        return abstract.title, text[len(abstract.title) + 1 :]
    end = len(text)
    if document.offsets and len(document.offsets) > 1:
        end = document.offsets[0][-1][1]
    elif not document.offsets and len(document.sentences) > 1:
        end = len(" ".join(document.sentences[0]))
    if text[end : end + 1].isspace():
        return text[:end], text[end + 1 :]
    return text, ""


def _with_text(document: Document) -> Document:
    """Return the document with a raw text, made of its words if it has none."""
    if document.text is not None and document.offsets is not None:
        return document
    position = 0
    offsets: list[tuple[Span, ...]] = []
    for words in document.sentences:
        spans = []
        for word in words:
            spans.append((position, position + len(word)))
            position += len(word) + 1
        offsets.append(tuple(spans))
    text = " ".join(word for words in document.sentences for word in words)
    return replace(document, text=text, offsets=tuple(offsets))


def written_ids(document: Document, rules: Rules) -> list[str]:
    """Return the ids that entities are written with."""
    related = {entity for r in document.relations or () for entity in (r.head, r.tail)}
    ids = []
    for index, entity in enumerate(document.entities):
        alone = len(entity.mentions) == 1 and index not in related
        ids.append(entity.id or (rules.unlinked if alone else f"E{index}"))
    id, times = next(iter(Counter(i for i in ids if i not in UNLINKED).most_common(1)), ("", 0))
    if times > 1:
        message = f"{times} entities have the id {id!r}"
        raise DataError([Problem("cannot-write", message, document.id, "entities")])
    return ids


def mention_rows(document: Document, ids: Sequence[str]) -> list[Row]:
    """Return all mentions by place, those that several entities share once."""
    rows = []
    shared: Counter[tuple[int, int, str]] = Counter()
    for id, entity in zip(ids, document.entities, strict=True):
        own: Counter[tuple[int, int, str]] = Counter()
        for mention in entity.mentions:
            extra = dict(mention.extra or {})
            start, end = extra.pop("span", None) or document.char_span(mention) or (0, 0)
            written = extra.pop("ids", id)
            if "|" in written and written != id:
                key = (start, end, written)
                own[key] += 1
                if own[key] <= shared[key]:
                    continue
                shared[key] += 1
            surface = extra.pop("surface", mention.surface or document.surface(mention))
            kind = mention.type or entity.type
            rows.append(Row(start, end, surface, kind, written, extra or None))
    return sorted(rows, key=lambda row: (row.start, row.end))


def _triples(document: Document, ids: Sequence[str], kept: dict[str, Any]) -> list[IdTriple] | None:
    if document.relations is None:
        return None
    triples = [IdTriple(r.relation, ids[r.head], ids[r.tail], r.extra) for r in document.relations]
    predicted = any(label.score is not None for label in document.relations)
    if kept.get("labels") == len(triples) and not predicted:  # the labels are those of the file
        for index, raw in kept.get("passed_over", ()):
            triples.insert(index, IdTriple(**raw))
    return triples
