"""Everything the page says, as plain JSON values; what is many is written as short lists.

An entity is ``[type, verdict, name, id, [[sentence, start, end], ...]]``, a triple ``[head, number
of the relation, tail, verdict, score, margin, evidence, gold evidence, distance]``. Words carry the
blank before them, so that raw text comes out as it was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from docre import __version__
from docre.data.relations import RelationSet
from docre.documents import Document, Relation
from docre.errors import DataError, Problem
from docre.report.judging import JudgedDocument, JudgedTriple, judge
from docre.report.reading import PredictedRelations
from docre.scoring import Gold, Prediction, score, score_joint
from docre.scoring.extraction import has_own_entities


def page_content(
    documents: Sequence[Document] | None,
    predicted: PredictedRelations,
    has_gold: bool,
    files: Sequence[Mapping[str, str]] = (),
    descriptions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what the page says.

    Args:
        documents: Texts, entities and perhaps labels; those of the predictions if left out.
        predicted: The predictions.
        has_gold: Whether the labels of the documents are there to be compared with.
        files: Role, name and checksum of each file the page is made from.
        descriptions: Names of relations for people.

    Raises:
        DataError: With every document that is of another text than in the gold.
    """
    base = list(predicted.documents.values()) if documents is None else documents
    own = predicted.documents
    joint = any(one.id in own and has_own_entities(one, own[one.id]) for one in base)
    if joint:  # where entities are predicted, a document that is left out has none
        empty = {one.id: replace(one, entities=(), relations=(), candidates=None) for one in base}
        own = {**empty, **own}
    elif has_gold:  # entities of the gold, and perhaps without their types
        own = {}
    judged = _judged(base, predicted.relations, own, has_gold)
    known = {one.id for one in base}
    strangers = {name: r for name, r in predicted.relations.items() if name not in known and r}
    extra = [Prediction(n, r.head, r.tail, r.relation) for n, rs in strangers.items() for r in rs]
    relations = _relations(judged, extra, {**predicted.descriptions, **(descriptions or {})})
    numbers = {one["name"]: number for number, one in enumerate(relations)}
    counted = [one for one in judged if one.judged]
    scores, entities = _scores(counted, base, extra) if counted else None, None
    if joint and counted:
        unjudged = {one.document.id for one in judged if not one.judged}
        scores, entities = _joint_scores(base, predicted.documents, unjudged)
    return {
        "docre": __version__,
        "files": list(files),
        "scores": scores,
        "entities": entities,
        "notes": list(_notes(judged, strangers, has_gold, bool(counted) and scores is None)),
        "relations": relations,
        "documents": [_document(one, numbers) for one in judged],
    }


def _judged(
    documents: Iterable[Document],
    relations: Mapping[str, Sequence[Relation]],
    own: Mapping[str, Document],
    has_gold: bool,
) -> list[JudgedDocument]:
    judged: list[JudgedDocument] = []
    problems: list[Problem] = []
    for one in documents:
        try:
            judged.append(judge(one, relations.get(one.id, ()), own.get(one.id), has_gold))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return judged


def _scores(
    counted: Sequence[JudgedDocument], base: Iterable[Document], extra: Sequence[Prediction]
) -> dict[str, Any]:
    """Return the micro scores of all documents with labels, as ``docre score`` has them."""
    predictions = [
        Prediction(one.document.id, *(r.head, r.tail, r.relation))
        for one in counted
        for triple in one.triples
        if triple.verdict != "missed"
        for r in (triple.relation,)
    ]
    return score([*predictions, *extra], Gold.compile(base)).overall.to_dict()


def _joint_scores(
    base: Iterable[Document], own: Mapping[str, Document], unjudged: Container[str]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the scores of relations, if any are predicted, and of predicted entities, likewise."""
    scores = score_joint(
        (one for one in base if one.id not in unjudged),
        (one for one in own.values() if one.id not in unjudged),
    )
    strict = scores.relation_strict
    relations = None if strict is None else strict.overall.to_dict()
    return relations, scores.entity.overall.to_dict()


def _relations(
    judged: Iterable[JudgedDocument], extra: Iterable[Prediction], descriptions: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return each relation with its counts, the most frequent in the gold first."""
    triples = [triple for one in judged for triple in one.triples]
    verdicts = Counter((t.relation.relation, t.verdict) for t in triples)
    verdicts.update((p.relation, "false") for p in {p[:4]: p for p in extra}.values())
    names = {name for name, _ in verdicts}
    known = dict(descriptions)
    docred = RelationSet.docred()
    if all(name in docred for name in names):
        known = {**docred.descriptions, **known}
    rows = [
        {
            "name": name,
            "description": known.get(name, ""),
            **{verdict: verdicts[name, verdict] for verdict in ("true", "false", "missed")},
            "unjudged": verdicts[name, "unjudged"],
        }
        for name in names
    ]
    return sorted(rows, key=lambda row: (-row["true"] - row["missed"], row["name"]))


def _notes(
    judged: Sequence[JudgedDocument],
    strangers: Mapping[str, Sequence[Any]],
    has_gold: bool,
    no_relations: bool,
) -> Iterator[str]:
    """Yield what a reader of the scores has to know."""
    unlabelled = sum(not one.judged for one in judged)
    if not has_gold:
        yield "No labels were given: predictions are shown and not judged."
    elif unlabelled:
        yield f"{unlabelled:,} documents without labels are shown and not judged."
    if no_relations:
        yield "The predictions say nothing of relations: these have no scores, and all are missed."
    if any("false" in one.entities or "missed" in one.entities for one in judged):
        yield (
            "Entities are predicted, too. One is true if the gold has an entity with the same "
            "mentions and the same type; a relation needs both of its entities to be true."
        )
    repeated = sum(one.repeated for one in judged)
    if repeated:
        yield f"{repeated:,} repeated predictions are left out; the first one counts."
    if strangers:
        count = sum(map(len, strangers.values()))
        named = ", ".join(list(strangers)[:5]) + (", ..." if len(strangers) > 5 else "")
        verdict = "; they count as wrong" if has_gold else ""
        yield (
            f"{count:,} predictions are for documents that are not here and are not "
            f"shown{verdict}: {named}."
        )
    outside = sum(
        not (0 <= index < len(one.document.entities))
        for one in judged
        for triple in one.triples
        for index in (triple.relation.head, triple.relation.tail)
    )
    if outside:
        yield f"{outside:,} heads or tails of predictions are entities that the document lacks."


def _document(one: JudgedDocument, numbers: Mapping[str, int]) -> dict[str, Any]:
    document = one.document
    return {
        "id": document.id,
        "judged": one.judged,
        "sentences": [list(_pieces(document, s)) for s in range(len(document.sentences))],
        "entities": [
            [
                entity.type,
                verdict,
                document.name(index),
                entity.id,
                [[m.sentence, m.start, m.end] for m in entity.mentions],
            ]
            for index, (entity, verdict) in enumerate(
                zip(document.entities, one.entities, strict=True)
            )
        ],
        "triples": [_triple(triple, numbers) for triple in one.triples],
    }


def _pieces(document: Document, sentence: int) -> Iterator[str]:
    """Yield the words of a sentence with the blank before them, if there is one."""
    words = document.sentences[sentence]
    if document.offsets is None:
        yield from (f" {word}" if index else word for index, word in enumerate(words))
        return
    end = None
    for word, span in zip(words, document.offsets[sentence], strict=True):
        yield word if end in (None, span[0]) else f" {word}"
        end = span[1]


def _triple(triple: JudgedTriple, numbers: Mapping[str, int]) -> list[Any]:
    one = triple.relation
    missed = triple.verdict == "missed"
    return [
        one.head,
        numbers[one.relation],
        one.tail,
        triple.verdict,
        None if missed or one.score is None else round(one.score, 4),
        None if missed or not one.extra else one.extra.get("margin"),
        None if missed else one.evidence,
        triple.gold_evidence,
        triple.distance,
    ]
