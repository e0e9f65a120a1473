"""One document's predictions held against its labels: what is true, false and missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from docre.documents import Document, Entity, Relation
from docre.report.aligning import on_common_words
from docre.scoring.distance import entity_distances

Verdict = Literal["true", "false", "missed", "unjudged"]
Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class JudgedTriple:
    """A triple that is predicted, labelled or both.

    Args:
        relation: The prediction, or the label that was missed; entities are those of the page.
        verdict: What it is; ``unjudged`` where there are no labels.
        gold_evidence: Evidence of the label; ``None`` without a label or without annotation.
        distance: Sentences between head and tail; -1 where one of them is not named.
    """

    relation: Relation
    verdict: Verdict
    gold_evidence: tuple[int, ...] | None
    distance: int

    @property
    def key(self) -> Key:
        """Head, tail and name, which say what the triple is."""
        return self.relation.head, self.relation.tail, self.relation.relation


@dataclass(frozen=True, slots=True)
class JudgedDocument:
    """A document as the page shows it.

    Args:
        document: Its text with the entities of the gold, then those predicted besides.
        entities: A verdict for each entity; all true where entities were given.
        triples: Predictions in their order, then what they miss.
        repeated: Predictions left out because they were there already.
        judged: Whether it has labels.
    """

    document: Document
    entities: tuple[Verdict, ...]
    triples: tuple[JudgedTriple, ...]
    repeated: int
    judged: bool


def judge(
    document: Document, predicted: Sequence[Relation], own: Document | None, has_gold: bool
) -> JudgedDocument:
    """Hold predictions against the labels of a document.

    Of repeated predictions the first counts. Where entities are predicted too, one is true if the
    gold has an entity with the same mentions and the same type, and a triple needs both of its
    entities to be true. The words of a raw text may be cut otherwise in the prediction; the page
    then has words that fit both.

    Args:
        document: Text, entities and perhaps labels.
        predicted: The predictions, in entities of ``own`` or else of the document.
        own: The document as predicted, if its entities may be others.
        has_gold: Whether the document's labels are there to be compared with.

    Raises:
        DataError: If the predicted document has other words, and no raw text in common.
    """
    judged = has_gold and document.relations is not None
    if own is None:
        verdicts = _all("true", document.entities)
    elif judged:
        recut = document.sentences != own.sentences
        keys = [_identities(one, in_characters=recut) for one in (document, own)]
        if recut:
            document, own, predicted = on_common_words(document, own, predicted)
        document, verdicts, places = _with_predicted_entities(document, own, *keys)
        predicted = [replace(r, head=places[r.head], tail=places[r.tail]) for r in predicted]
    else:
        document, verdicts = own, _all("unjudged", own.entities)
    first: dict[Key, Relation] = {}
    for one in predicted:
        first.setdefault((one.head, one.tail, one.relation), one)
    labels = {(r.head, r.tail, r.relation): r for r in document.relations or () if judged}
    distances = entity_distances(document)

    def judged_triple(key: Key, one: Relation, verdict: Verdict) -> JudgedTriple:
        label = labels.get(key)
        known = min(key[:2]) >= 0 and max(key[:2]) < len(document.entities)
        distance = int(distances[key[:2]]) if known else -1
        return JudgedTriple(one, verdict, label.evidence if label else None, distance)

    triples = [
        judged_triple(key, one, "unjudged" if not judged else "true" if key in labels else "false")
        for key, one in first.items()
    ]
    triples += [
        judged_triple(key, label, "missed") for key, label in labels.items() if key not in first
    ]
    return JudgedDocument(document, verdicts, tuple(triples), len(predicted) - len(first), judged)


def _all(verdict: Verdict, entities: Sequence[Entity]) -> tuple[Verdict, ...]:
    return (verdict,) * len(entities)


def _with_predicted_entities(
    gold: Document, own: Document, gold_keys: Sequence[object], own_keys: Sequence[object]
) -> tuple[Document, tuple[Verdict, ...], list[int]]:
    """Return the gold with entities only predicted behind its own, and where each predicted is."""
    free: dict[object, list[int]] = {}
    for index, key in enumerate(gold_keys):
        free.setdefault(key, []).append(index)
    entities = list(gold.entities)
    verdicts: list[Verdict] = ["missed"] * len(entities)
    places = []
    for index, (entity, key) in enumerate(zip(own.entities, own_keys, strict=True)):
        same = free.get(key)
        if not same:
            places.append(len(entities))
            entities.append(entity)
            verdicts.append("false")
            continue
        # of two gold entities with equal mentions the one of the same number, if it is left
        place = index if index in same else same[0]
        same.remove(place)
        places.append(place)
        verdicts[place] = "true"
    return replace(gold, entities=tuple(entities), candidates=None), tuple(verdicts), places


def _identities(document: Document, in_characters: bool) -> list[object]:
    """Return what makes two entities the same; without mentions that is their number."""
    return [
        (
            frozenset(
                document.char_span(m) if in_characters else (m.sentence, m.start, m.end)
                for m in entity.mentions
            )
            or index,
            entity.type,
        )
        for index, entity in enumerate(document.entities)
    ]
