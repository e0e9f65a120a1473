"""JSON lines: one object a document."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from docre.data import writing
from docre.data.formats.own import encode
from docre.pipeline.extraction import Extraction, Triple


def write_lines(path: Path, extractions: Iterable[Extraction], found_entities: bool) -> None:
    """Write a line a document: triples of given entities, or whole documents.

    Both are read by ``docre score`` and ``docre report``.
    """
    if found_entities:
        lines = (encode(one.document) for one in extractions)
    else:
        lines = (msgspec.json.encode(to_line(one)) for one in extractions)
    writing.write_lines(path, lines)


def to_line(extraction: Extraction) -> dict[str, Any]:
    """Return a document's entities and triples as plain values.

    Characters are counted in ``text``, which is the words joined by blanks where the document has
    no raw text.
    """
    return {
        "id": extraction.id,
        "text": extraction.text,
        "entities": [
            {"name": one.name, "type": one.type}
            | ({"id": one.id} if one.id else {})
            | {
                "mentions": [
                    {"text": m.text, "start": m.start, "end": m.end, "sentence": m.sentence}
                    for m in one.mentions
                ]
            }
            for one in extraction.entities
        ],
        "triples": [_triple(one) for one in extraction.triples],
    }


def _triple(one: Triple) -> dict[str, Any]:
    return {
        "head": one.head.index,
        "tail": one.tail.index,
        "relation": one.relation,
        "head_name": one.head.name,
        "relation_name": one.relation_name,
        "tail_name": one.tail.name,
        "score": one.score,
        "margin": one.margin,
        "probability": one.probability,
        "evidence": one.evidence,
    }
