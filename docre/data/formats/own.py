"""docre's own JSON and JSON lines: the whole document schema, nothing lost.

One object a document with ``id``, ``sentences``, ``entities`` (``mentions``, ``type``, ``id``),
``relations`` (``head``, ``tail``, ``relation``, ``evidence``, ``score``), and where they exist
``text``, ``offsets``, ``candidates`` and ``extra``. For people who have raw text, ``sentences`` may
be left out: then mentions are ``{"start": 0, "end": 12}`` in characters of ``text``, and sentences
and words are found by rule.

A key that is none of these is a problem, because a label under a misspelt key would be lost without
a word; ``on_error="fix"`` moves it into ``extra``, where fields of one's own belong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from docre.data.formats.base import Fields, leftover
from docre.data.formats.json_text import decode_object, repeated_keys, split_json
from docre.documents import Document, Entity, Mention, Relation, check_char_spans
from docre.errors import Problem
from docre.segmentation import Layout, split_text

_DOCUMENT = frozenset(
    {"id", "sentences", "entities", "relations", "text", "offsets", "candidates", "extra"}
)
# Those that no object inside a document has.
_ONLY_OUTSIDE = _DOCUMENT - {"id", "extra"}
_ENTITY = frozenset({"mentions", "type", "id", "extra"})
_MENTION = frozenset({"sentence", "start", "end", "type", "surface", "extra"})
_TEXT_MENTION = _MENTION - {"sentence"}
_RELATION = frozenset({"head", "tail", "relation", "evidence", "score", "extra"})


@dataclass(frozen=True, slots=True)
class DocreFormat:
    """Reader and writer of docre's own JSON.

    Args:
        lines: Write one document a line instead of an array; both are read.
    """

    name: str = "docre"
    lines: bool = False

    def split(self, data: bytes) -> Iterator[bytes]:
        """Cut a file into one record a document."""
        return split_json(data)

    def parse(self, record: bytes, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one record."""
        raw = decode_object(record, f"#{index}")
        name = raw.get("id")
        fields = Fields(name if type(name) is str and name else f"#{index}")
        fields.problems += repeated_keys(record, _ONLY_OUTSIDE, fields.document)
        fields.get(raw, "id", str, "")
        unknown: list[Problem] = []
        make = _from_words
        if "sentences" not in raw and "offsets" not in raw and type(raw.get("text")) is str:
            make = _from_text
        document = make(fields, raw, unknown)
        fields.done()
        return document, unknown

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield JSON lines, or an array with one document a line."""
        if self.lines:
            yield from (encode(document) + b"\n" for document in documents)
            return
        separator = b"[\n"
        for document in documents:
            yield separator + encode(document)
            separator = b",\n"
        yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def encode(document: Document) -> bytes:
    """Write one document as JSON, leaving out what is empty."""
    return msgspec.json.encode(to_plain(document))


def to_plain(document: Document) -> dict[str, Any]:
    """Return a document as plain JSON values."""
    raw: dict[str, Any] = {
        "id": document.id,
        "sentences": document.sentences,
        "entities": [
            _filled(
                mentions=[
                    {"sentence": m.sentence, "start": m.start, "end": m.end}
                    | _filled(type=m.type, surface=m.surface, extra=m.extra)
                    for m in entity.mentions
                ]
            )
            | _filled(type=entity.type, id=entity.id, extra=entity.extra)
            for entity in document.entities
        ],
    }
    if document.relations is not None:
        raw["relations"] = [
            {"head": r.head, "tail": r.tail, "relation": r.relation}
            | ({} if r.evidence is None else {"evidence": r.evidence})
            | ({} if r.score is None else {"score": r.score})
            | _filled(extra=r.extra)
            for r in document.relations
        ]
    for key in ("text", "offsets", "candidates"):
        if getattr(document, key) is not None:
            raw[key] = getattr(document, key)
    return raw | ({"extra": document.extra} if document.extra else {})


def _filled(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value or isinstance(value, (list, dict))}


def _from_words(fields: Fields, raw: dict[str, Any], unknown: list[Problem]) -> Document:
    document = Document(
        id=_id(raw),
        sentences=fields.sentences(raw, "sentences"),
        entities=tuple(
            _entity(fields, item, f"entities[{e}]", unknown)
            for e, item in enumerate(fields.optional(raw, "entities", list, "", []))
        ),
        relations=_relations(fields, raw, unknown),
        text=fields.optional(raw, "text", str, "", None),
        offsets=_offsets(fields, raw),
        candidates=_candidates(fields, raw),
        extra=_extra(fields, raw, _DOCUMENT, "", unknown) or {},
    )
    if document.offsets is not None:
        _check_offsets(fields, document)
    return document


def _id(raw: dict[str, Any]) -> str:
    return raw["id"] if type(raw.get("id")) is str else ""


def _extra(
    fields: Fields, raw: dict[str, Any], known: frozenset[str], place: str, unknown: list[Problem]
) -> dict[str, Any] | None:
    """Return ``extra``, with the keys in it that are not known beside it; note these."""
    if raw.keys() <= known and "extra" not in raw:
        return None
    extra: dict[str, Any] | None = fields.optional(raw, "extra", dict, place, None)
    strangers = leftover(raw, known)
    if strangers is None:
        return extra
    for key in strangers:
        message = f"unknown key; known are {', '.join(sorted(known))}, others belong into extra"
        where = f"{place}.{key}" if place else key
        unknown.append(Problem("unknown-key", message, fields.document, where))
    return {**strangers, **(extra or {})}


def _entity(fields: Fields, raw: Any, place: str, unknown: list[Problem]) -> Entity:
    if type(raw) is not dict:
        fields.item(raw, dict, place)
        return Entity(())
    listed = fields.get(raw, "mentions", list, place)
    return Entity(
        mentions=tuple(
            _mention(fields, mention, f"{place}.mentions[{m}]", unknown)
            for m, mention in enumerate(listed)
        ),
        type=fields.optional(raw, "type", str, place, ""),
        id=fields.optional(raw, "id", str, place, ""),
        extra=_extra(fields, raw, _ENTITY, place, unknown),
    )


def _mention(fields: Fields, raw: Any, place: str, unknown: list[Problem]) -> Mention:
    if type(raw) is not dict:
        fields.item(raw, dict, place)
        return Mention(0, 0, 0)
    return Mention(
        sentence=fields.get(raw, "sentence", int, place),
        start=fields.get(raw, "start", int, place),
        end=fields.get(raw, "end", int, place),
        type=fields.optional(raw, "type", str, place, ""),
        surface=fields.optional(raw, "surface", str, place, ""),
        extra=_extra(fields, raw, _MENTION, place, unknown),
    )


def _relations(
    fields: Fields, raw: dict[str, Any], unknown: list[Problem]
) -> tuple[Relation, ...] | None:
    listed = fields.optional(raw, "relations", list, "", None)
    if listed is None:
        return None
    return tuple(
        _relation(fields, item, f"relations[{index}]", unknown) for index, item in enumerate(listed)
    )


def _relation(fields: Fields, raw: Any, place: str, unknown: list[Problem]) -> Relation:
    if type(raw) is not dict:
        fields.item(raw, dict, place)
        return Relation(0, 0, "")
    evidence = fields.optional(raw, "evidence", list, place, None)
    return Relation(
        head=fields.get(raw, "head", int, place),
        tail=fields.get(raw, "tail", int, place),
        relation=fields.get(raw, "relation", str, place),
        evidence=None if evidence is None else fields.integers(evidence, f"{place}.evidence"),
        score=fields.number(raw, "score", place),
        extra=_extra(fields, raw, _RELATION, place, unknown),
    )


def _pairs(fields: Fields, values: list[Any], place: str) -> tuple[tuple[int, int], ...]:
    pairs = []
    for index, value in enumerate(values):
        where = f"{place}[{index}]"
        pair = fields.integers(fields.item(value, list, where), where)
        if len(pair) != 2:
            fields.add("wrong-type", "expected two whole numbers", where)
            return ()
        pairs.append((pair[0], pair[1]))
    return tuple(pairs)


def _candidates(fields: Fields, raw: dict[str, Any]) -> tuple[tuple[int, int], ...] | None:
    listed = fields.optional(raw, "candidates", list, "", None)
    return None if listed is None else _pairs(fields, listed, "candidates")


def _offsets(fields: Fields, raw: dict[str, Any]) -> tuple[tuple[tuple[int, int], ...], ...] | None:
    listed = fields.optional(raw, "offsets", list, "", None)
    if listed is None:
        return None
    return tuple(
        _pairs(fields, fields.item(words, list, f"offsets[{s}]"), f"offsets[{s}]")
        for s, words in enumerate(listed)
    )


def _check_offsets(fields: Fields, document: Document) -> None:
    """Hold the offsets against text and sentences: features and output are cut along them."""
    offsets, text = document.offsets or (), document.text
    if text is None:
        fields.add("missing-key", "offsets without a text", "text")
        return
    if [len(words) for words in offsets] != [len(words) for words in document.sentences]:
        fields.add("span-out-of-range", "one span is needed for each word", "offsets")
        return
    position = 0
    for s, words in enumerate(offsets):
        for w, (start, end) in enumerate(words):
            if not position <= start < end <= len(text):
                message = f"span {start}-{end} is out of order or outside the text"
                fields.add("span-out-of-range", message, f"offsets[{s}][{w}]")
                return
            position = end


def _from_text(fields: Fields, raw: dict[str, Any], unknown: list[Problem]) -> Document:
    """Make a document of raw text; its mentions are in characters until the text is split."""
    text: str = raw["text"]
    entities = [
        _text_entity(fields, item, f"entities[{e}]", unknown)
        for e, item in enumerate(fields.optional(raw, "entities", list, "", []))
    ]
    relations = _relations(fields, raw, unknown)
    candidates = _candidates(fields, raw)
    extra = _extra(fields, raw, _DOCUMENT, "", unknown) or {}
    spans = [[(m.start, m.end) for m in entity.mentions] for entity in entities]
    if not fields.problems:  # a span that is not there need not be called wrong as well
        fields.problems += check_char_spans(fields.document, text, spans)
    fields.done()
    layout = split_text(text, [span for mentions in spans for span in mentions])
    return Document(
        id=_id(raw),
        sentences=layout.words(text),
        entities=tuple(
            replace(entity, mentions=tuple(_placed(m, layout, text) for m in entity.mentions))
            for entity in entities
        ),
        relations=relations,
        text=text,
        offsets=layout.offsets,
        candidates=candidates,
        extra=extra,
    )


def _text_entity(fields: Fields, raw: Any, place: str, unknown: list[Problem]) -> Entity:
    if type(raw) is not dict:
        fields.item(raw, dict, place)
        return Entity(())
    kind = fields.optional(raw, "type", str, place, "")
    mentions = []
    for m, mention in enumerate(fields.get(raw, "mentions", list, place)):
        where = f"{place}.mentions[{m}]"
        if type(mention) is not dict:
            fields.item(mention, dict, where)
            continue
        mentions.append(
            Mention(
                sentence=0,
                start=fields.get(mention, "start", int, where),
                end=fields.get(mention, "end", int, where),
                type=fields.optional(mention, "type", str, where, kind),
                surface=fields.optional(mention, "surface", str, where, ""),
                extra=_extra(fields, mention, _TEXT_MENTION, where, unknown),
            )
        )
    name = fields.optional(raw, "id", str, place, "")
    return Entity(tuple(mentions), kind, name, _extra(fields, raw, _ENTITY, place, unknown))


def _placed(mention: Mention, layout: Layout, text: str) -> Mention:
    """Return a mention in words of its sentence instead of characters of the text."""
    sentence, start, end = layout.locate(mention.start, mention.end)
    surface = mention.surface or text[mention.start : mention.end]
    return replace(mention, sentence=sentence, start=start, end=end, surface=surface)
