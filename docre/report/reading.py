"""Predictions from any file that docre or an official scorer knows, by document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docre.data.formats.base import Fields
from docre.data.formats.json_text import decode, decode_object, require_content, split_json
from docre.data.formats.official import read_predictions
from docre.data.formats.registry import detect_format
from docre.data.reading import read_bytes, read_documents
from docre.documents import Document, Relation
from docre.errors import DataError, Problem


@dataclass(frozen=True, slots=True)
class PredictedRelations:
    """What a file predicts.

    Args:
        relations: By document; ``extra`` of one has its ``margin``, where the file says it.
        documents: By id, if the file has whole documents, whose entities may be predicted as well.
        descriptions: Names of relations for people.
    """

    relations: dict[str, list[Relation]]
    documents: dict[str, Document] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)


def read_predicted(path: Path) -> PredictedRelations:
    """Read ``predictions.jsonl``, ``result.json``, a submission zip, or documents.

    Raises:
        DataError: If the file cannot be read, with everything that is wrong in it.
    """
    data = read_bytes(path)
    try:
        return _read(path, data)
    except DataError as error:
        explained = list(_strangers(data))
        hint = "" if explained else error.hint
        raise DataError(
            (p.at(source=str(path)) for p in explained or error.problems), hint
        ) from None


def _read(path: Path, data: bytes) -> PredictedRelations:
    if _has_prediction_lines(data):
        return _from_lines(data)
    if _has_documents(path, data):
        documents = {document.id: document for document in read_documents(path)}
        relations = {name: list(one.relations or ()) for name, one in documents.items()}
        return PredictedRelations(relations, documents)
    listed: dict[str, list[Relation]] = {}
    for one in read_predictions(path):
        relation = Relation(one.head, one.tail, one.relation, one.evidence, one.score)
        listed.setdefault(one.document, []).append(relation)
    return PredictedRelations(listed)


def _has_prediction_lines(data: bytes) -> bool:
    """Tell ``predictions.jsonl`` by its first line."""
    first = data.lstrip().partition(b"\n")[0]
    if not first.startswith(b"{") or b'"triples"' not in first:
        return False
    try:
        raw = decode(first)
    except DataError:
        return False
    return type(raw) is dict and "triples" in raw and "sentences" not in raw


def _strangers(data: bytes) -> Iterator[Problem]:
    """Yield what explains at once why a file cannot be read."""
    try:
        records = [decode_object(record, "") for record in split_json(require_content(data))]
    except DataError:
        return
    with_triples = [raw for raw in records if "triples" in raw and "sentences" not in raw]
    documents = [raw for raw in records if "sentences" in raw]
    if with_triples and documents:
        fewer = min(with_triples, documents, key=len)
        message = (
            f"{len(with_triples):,} lines of triples and {len(documents):,} documents with "
            "entities of their own are mixed; a file has either"
        )
        yield Problem("mixed-predictions", message, str(fewer[0].get("id", "")))
    elif records and all(
        raw.keys() >= {"tokens", "mentions"} and "id" not in raw for raw in records
    ):
        message = (
            "these entities and relations do not say which documents they are of; "
            "docre predict also writes them with ids, as .jsonl"
        )
        yield Problem("not-documents", message)


def _has_documents(path: Path, data: bytes) -> bool:
    if b"".join(data[:256].split()) == b"[]":  # a result without predictions
        return False
    try:
        detect_format(path, data)
    except DataError as error:
        if any(problem.code == "not-documents" for problem in error.problems):
            return False
        raise
    return True


def _from_lines(data: bytes) -> PredictedRelations:
    relations: dict[str, list[Relation]] = {}
    descriptions: dict[str, str] = {}
    problems: list[Problem] = []
    for index, record in enumerate(split_json(require_content(data))):
        raw = decode_object(record, f"#{index}")
        name = raw.get("id")
        fields = Fields(name if type(name) is str and name else f"#{index}")
        name = fields.get(raw, "id", str, "")
        triples = fields.get(raw, "triples", list, "")
        if name in relations:
            fields.add("duplicate-title", "another line has the same id", "id")
        relations[name] = [
            _triple(fields, item, f"triples[{number}]", descriptions)
            for number, item in enumerate(triples)
        ]
        problems += fields.problems
    if problems:
        raise DataError(problems)
    return PredictedRelations(relations, descriptions=descriptions)


def _triple(fields: Fields, item: Any, place: str, descriptions: dict[str, str]) -> Relation:
    raw: dict[str, Any] = fields.item(item, dict, place)
    if not raw:
        return Relation(0, 0, "")
    relation = fields.get(raw, "relation", str, place)
    description = fields.optional(raw, "relation_name", str, place, relation)
    if description != relation:
        descriptions[relation] = description
    evidence = fields.optional(raw, "evidence", list, place, None)
    margin = fields.number(raw, "margin", place)
    return Relation(
        head=fields.get(raw, "head", int, place),
        tail=fields.get(raw, "tail", int, place),
        relation=relation,
        evidence=None if evidence is None else fields.integers(evidence, f"{place}.evidence"),
        score=fields.number(raw, "score", place),
        extra=None if margin is None else {"margin": margin},
    )
