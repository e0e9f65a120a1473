"""DocRED JSON, the form of DocRED, Re-DocRED and most data sets after them.

One object a document: ``title``, ``sents`` (words by sentence), ``vertexSet`` (mentions by entity:
``name``, ``sent_id``, ``pos``, ``type``) and, unless the labels are hidden, ``labels`` (``h``,
``t``, ``r``, ``evidence``). Keys beyond these are carried along and written back. ``labels`` and
``evidence`` that are null are the same as absent; ``name`` and ``type`` are always written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from docre.data.formats.base import Fields, leftover
from docre.data.formats.json_text import decode_object, repeated_keys, split_json
from docre.documents import Document, Entity, Extra, Mention, Relation
from docre.errors import Problem

_DOCUMENT = frozenset({"title", "sents", "vertexSet", "labels"})
_MENTION = frozenset({"name", "sent_id", "pos", "type"})
_LABEL = frozenset({"h", "t", "r", "evidence"})
_INTEGERS = {int}


@dataclass(frozen=True, slots=True)
class DocREDJson:
    """Reader and writer of DocRED JSON."""

    name: str = "docred"

    def split(self, data: bytes) -> Iterator[bytes]:
        """Cut a file into one record a document."""
        return split_json(data)

    def parse(self, record: bytes, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one record."""
        raw = decode_object(record, f"#{index}")
        title = raw.get("title")
        fields = Fields(title if type(title) is str and title else f"#{index}")
        fields.problems += repeated_keys(record, _DOCUMENT, fields.document)
        sentences = fields.sentences(raw, "sents")
        if "vertexSet" not in raw:
            message = 'the key is missing; a text without entities has "vertexSet": []'
            fields.add("missing-key", message, "vertexSet")
        entities = tuple(
            _entity(fields, entity, e)
            for e, entity in enumerate(fields.item(raw.get("vertexSet", []), list, "vertexSet"))
        )
        labels = fields.optional(raw, "labels", list, "", None)
        relations = labels if labels is None else tuple(_relations(fields, labels))
        name = fields.get(raw, "title", str, "")
        fields.done()
        extra = leftover(raw, _DOCUMENT) or {}
        return Document(name, sentences, entities, relations, extra=extra), []

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield a JSON array, one document a line."""
        separator = b"[\n"
        for document in documents:
            yield separator + msgspec.json.encode(to_docred(document))
            separator = b",\n"
        yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _entity(fields: Fields, raw: Any, index: int) -> Entity:
    if type(raw) is not list:
        raw = fields.item(raw, list, f"vertexSet[{index}]")
    mentions = tuple(
        _mention(mention) or _odd_mention(fields, mention, f"vertexSet[{index}][{m}]")
        for m, mention in enumerate(raw)
    )
    return Entity(mentions, mentions[0].type if mentions else "")


def _mention(raw: Any) -> Mention | None:
    """Make a mention of the common form without a detour; anything else is for the caller."""
    if type(raw) is not dict:
        return None
    position, sentence = raw.get("pos"), raw.get("sent_id")
    kind, surface = raw.get("type"), raw.get("name")
    if (
        type(position) is list
        and len(position) == 2
        and type(position[0]) is int
        and type(position[1]) is int
        and type(sentence) is int
        and type(kind) is str
        and type(surface) is str
    ):
        if len(raw) == 4:
            return Mention(sentence, position[0], position[1], kind, surface)
        # nobody else has this object, so what is left of it can be kept as it is
        del raw["pos"], raw["sent_id"], raw["type"], raw["name"]
        return Mention(sentence, position[0], position[1], kind, surface, raw)
    return None


def _odd_mention(fields: Fields, raw: Any, place: str) -> Mention:
    if type(raw) is not dict:
        fields.item(raw, dict, place)
        return Mention(0, 0, 0)
    listed = fields.get(raw, "pos", list, place)
    position = fields.integers(listed, f"{place}.pos")
    if len(position) != 2:
        if len(position) == len(listed) and type(raw.get("pos")) is list:
            message = f"expected [first word, one past the last word], found {len(listed)} numbers"
            fields.add("wrong-type", message, f"{place}.pos")
        position = (0, 0)
    return Mention(
        sentence=fields.get(raw, "sent_id", int, place),
        start=position[0],
        end=position[1],
        type=fields.optional(raw, "type", str, place, ""),
        surface=fields.optional(raw, "name", str, place, ""),
        extra=leftover(raw, _MENTION),
    )


def _relations(fields: Fields, labels: list[Any]) -> Iterator[Relation]:
    for index, raw in enumerate(labels):
        yield _relation(raw) or _odd_relation(fields, raw, f"labels[{index}]")


def _relation(raw: Any) -> Relation | None:
    """Make a label of the common form without a detour; anything else is for the caller."""
    if type(raw) is not dict:
        return None
    head, tail, name, evidence = raw.get("h"), raw.get("t"), raw.get("r"), raw.get("evidence")
    if (
        type(evidence) is list
        and type(head) is int
        and type(tail) is int
        and type(name) is str
        and (not evidence or set(map(type, evidence)) == _INTEGERS)
    ):
        extra = None if len(raw) == 4 else leftover(raw, _LABEL)
        return Relation(head, tail, name, tuple(evidence), None, extra)
    return None


def _odd_relation(fields: Fields, raw: Any, place: str) -> Relation:
    if type(raw) is not dict:
        fields.item(raw, dict, place)
        return Relation(0, 0, "")
    evidence = fields.optional(raw, "evidence", list, place, None)
    return Relation(
        head=fields.get(raw, "h", int, place),
        tail=fields.get(raw, "t", int, place),
        relation=fields.get(raw, "r", str, place),
        evidence=None if evidence is None else fields.integers(evidence, f"{place}.evidence"),
        extra=leftover(raw, _LABEL),
    )


def to_docred(document: Document) -> dict[str, Any]:
    """Return a document as the object DocRED JSON has for it."""
    raw: dict[str, Any] = {
        "title": document.id,
        "vertexSet": [
            [_raw_mention(document, entity, mention) for mention in entity.mentions]
            for entity in document.entities
        ],
        "sents": document.sentences,
    }
    if document.relations is not None:
        raw["labels"] = [_raw_label(relation) for relation in document.relations]
    return _with_extra(raw, document.extra)


def _raw_mention(document: Document, entity: Entity, mention: Mention) -> dict[str, Any]:
    kind = mention.type
    if not kind and not any(other.type for other in entity.mentions):
        kind = entity.type
    raw = {
        "name": mention.surface or document.surface(mention),
        "sent_id": mention.sentence,
        "pos": [mention.start, mention.end],
        "type": kind,
    }
    return _with_extra(raw, mention.extra)


def _raw_label(relation: Relation) -> dict[str, Any]:
    raw: dict[str, Any] = {"h": relation.head, "t": relation.tail, "r": relation.relation}
    if relation.evidence is not None:
        raw["evidence"] = relation.evidence
    return _with_extra(raw, relation.extra)


def _with_extra(raw: dict[str, Any], extra: Extra | None) -> dict[str, Any]:
    """Put what was carried along back, behind the format's own keys and never in their place."""
    return {**raw, **{k: v for k, v in extra.items() if k not in raw}} if extra else raw
