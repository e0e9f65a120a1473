"""Predictions of a document as people and programs read them: one JSON object a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from docre.documents import Document

if TYPE_CHECKING:
    from docre.triples import PredictedTriple


def entity_names(document: Document) -> list[str]:
    """Return the surface of each entity's first mention, empty for one without mentions."""
    return [
        entity.mentions[0].surface or document.surface(entity.mentions[0])
        if entity.mentions
        else ""
        for entity in document.entities
    ]


def prediction_line(
    document: str,
    triples: Sequence[PredictedTriple],
    names: Sequence[str],
    descriptions: Mapping[str, str],
) -> dict[str, Any]:
    """Return what ``predictions.jsonl`` says about a document.

    Args:
        document: Its id.
        triples: What was predicted.
        names: Of its entities.
        descriptions: Names of the relations for people.
    """
    return {
        "id": document,
        "triples": [
            {
                "head": one.head,
                "tail": one.tail,
                "relation": one.relation,
                "head_name": names[one.head] if one.head < len(names) else "",
                "relation_name": descriptions.get(one.relation, one.relation),
                "tail_name": names[one.tail] if one.tail < len(names) else "",
                "score": round(one.score, 4),
                "margin": round(one.margin, 4),
                "evidence": one.evidence,
            }
            for one in triples
        ],
    }
