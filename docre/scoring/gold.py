"""Labels compiled once for scoring many predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docre.documents import Document, Relation
from docre.errors import DataError, DocreError, Problem
from docre.scoring.distance import entity_distances
from docre.scoring.facts import FactLabel, Facts, entity_names, is_seen
from docre.scoring.predictions import Ids, Ints, Prediction, PredictionRows, encode

# sentences a document can have at most when evidence is looked up in one sorted array
_SENTENCES = 1 << 20


class UnlabelledError(DocreError):
    """There is nothing to score against.

    Args:
        documents: How many documents were looked at.
        submission: Where the predictions were written for the owner of the labels to score.
    """

    def __init__(self, documents: int, submission: str | None = None) -> None:
        self.documents, self.submission = documents, submission
        what = (
            "write the predictions as a submission (result.json) and have the owner of the labels "
            "score them"
            if submission is None
            else f"the predictions are in {submission}, for the owner of the labels to score"
        )
        super().__init__(
            f"none of the {documents:,} documents has labels, so nothing can be scored here; {what}"
        )

    def __reduce__(self) -> tuple[type[UnlabelledError], tuple[int, str | None]]:
        return type(self), (self.documents, self.submission)


@dataclass(frozen=True, eq=False)
class Gold:
    """The labels as sorted arrays; made by :meth:`compile`.

    Args:
        documents: Ids of the labelled documents, ``[D]``.
        unlabelled: Ids of documents without labels; predictions for them are not judged.
        relations: Names of the relations, ``[R]``.
        facts: The fact sets, ``[F]``.
        triples: Document, head, tail and relation of each gold triple, ``[G, 4]``, sorted.
        keys: The triples packed into one number each, ``[G]``.
        distance: Sentence distance of each triple, -1 where an entity is not named, ``[G]``.
        seen: Which triples each fact set knows, ``[F, G]``.
        entries: Label entries of each triple; more than 1 where a label is repeated, ``[G]``.
        evidence_entries: Evidence sentences in all label entries of each triple, ``[G]``.
        evidence_keys: Sorted packed (triple, sentence).
        has_evidence: Whether any label was annotated with evidence.
        document_ids: Numbers of the documents, those past ``D`` without labels.
        relation_ids: Numbers of the relations.
        entity_counts: Entities by document, ``[D]``.
        distance_table: Sentence distances of all pairs of entities, one document after another.
        distance_start: Where each document begins in that table, ``[D]``.
        width: One more than the largest entity index, for packing.
    """

    documents: tuple[str, ...]
    unlabelled: tuple[str, ...]
    relations: tuple[str, ...]
    facts: tuple[FactLabel, ...]
    triples: Ints
    keys: Ints
    distance: Ints
    seen: NDArray[np.bool_]
    entries: Ints
    evidence_entries: Ints
    evidence_keys: Ints
    has_evidence: bool
    document_ids: Ids
    relation_ids: Ids
    entity_counts: Ints
    distance_start: Ints
    distance_table: NDArray[np.int16]
    width: int

    @classmethod
    def compile(
        cls,
        documents: Iterable[Document],
        facts: Facts | Sequence[Facts] = (),
        relations: Collection[str] = (),
    ) -> Gold:
        """Compile the labels of documents.

        Args:
            documents: Documents with and without labels.
            facts: Fact sets for Ign F1; without one there is no Ign F1.
            relations: Further relation names, for relations without a label here.

        Raises:
            DataError: If two documents have the same id.
        """
        listed = list(documents)
        _require_unique(listed)
        known = [facts] if isinstance(facts, Facts) else list(facts)
        if len({one.name for one in known}) < len(known):
            raise ValueError(f"two fact sets of one name: {[one.name for one in known]}")
        labelled = [d for d in listed if d.relations is not None]
        unlabelled = tuple(d.id for d in listed if d.relations is None)
        ids = Ids((d.id, number) for number, d in enumerate(labelled))
        # numbers past the labelled documents: known, but not judged
        ids.update((name, len(labelled) + n) for n, name in enumerate(unlabelled))
        labels = [(d, r) for d in labelled for r in d.relations or ()]
        names = tuple(sorted({label.relation for _, label in labels} | set(relations)))
        relation_ids = Ids((name, number) for number, name in enumerate(names))
        indices = (max(label.head, label.tail) for _, label in labels)
        width = max(max(indices, default=0) + 1, *(len(d.entities) for d in labelled), 1)
        matrices = [entity_distances(d) for d in labelled]
        sizes = np.array([m.size for m in matrices], np.int64)
        triples, collected = _triples(labels, ids, relation_ids)
        keys = pack(triples.T, width, len(names))
        order = np.argsort(keys)
        triples, keys, collected = triples[order], keys[order], [collected[i] for i in order]
        entities = np.array([len(d.entities) for d in labelled], np.int64)
        start = np.cumsum(sizes) - sizes
        flat = np.concatenate([m.ravel() for m in matrices] or [np.zeros(0, np.int16)])
        return cls(
            documents=tuple(d.id for d in labelled),
            unlabelled=unlabelled,
            relations=names,
            facts=tuple(one.label for one in known),
            triples=triples,
            keys=keys,
            distance=look_up(flat, start, entities, *triples.T[:3]),
            seen=_seen(labelled, triples, names, known),
            entries=np.array([len(entries) for entries in collected], np.int64),
            evidence_entries=np.array(
                [sum(len(e.evidence or ()) for e in entries) for entries in collected], np.int64
            ),
            evidence_keys=_evidence(collected),
            has_evidence=any(label.evidence is not None for _, label in labels),
            document_ids=ids,
            relation_ids=relation_ids,
            entity_counts=entities,
            distance_start=start,
            distance_table=flat,
            width=width,
        )

    def __deepcopy__(self, memo: dict[int, object]) -> Gold:
        """Return itself: nothing changes a gold, so copies of a metric can share it."""
        return self

    @property
    def can_score(self) -> bool:
        """Whether there are labels at all."""
        return bool(self.documents)

    def require_labels(self) -> None:
        """Raise :class:`UnlabelledError` if there are no labels."""
        if not self.can_score:
            raise UnlabelledError(len(self.unlabelled))

    def encode(self, predictions: Iterable[Prediction]) -> PredictionRows:
        """Number the names in predictions; unknown names get negative numbers."""
        listed = predictions if isinstance(predictions, list) else list(predictions)
        return encode(listed, self.document_ids, self.relation_ids)

    def find(self, rows: PredictionRows) -> tuple[Ints, Ints]:
        """Return for each row its packed key, -1 where no gold triple can match, and its triple.

        The second is the index of the gold triple, -1 for a wrong prediction.
        """
        columns = rows.document, rows.head, rows.tail, rows.relation
        limits = len(self.documents), self.width, self.width, len(self.relations)
        inside = np.ones(len(rows.document), bool)
        for column, limit in zip(columns, limits, strict=True):
            inside &= (column >= 0) & (column < limit)
        keys = np.full(len(inside), -1, np.int64)
        keys[inside] = pack([c[inside] for c in columns], self.width, len(self.relations))
        place = np.searchsorted(self.keys, keys)
        place[place == len(self.keys)] = 0
        hit = inside & (self.keys[place] == keys) if len(self.keys) else np.zeros_like(inside)
        return keys, np.where(hit, place, -1)

    def distances(self, document: Ints, head: Ints, tail: Ints) -> Ints:
        """Return sentence distances, -1 for unknown documents and entities."""
        return look_up(
            self.distance_table, self.distance_start, self.entity_counts, document, head, tail
        )

    def supports(self, triple: Ints, sentence: Ints) -> NDArray[np.bool_]:
        """Say whether a sentence is evidence of a gold triple."""
        if not len(self.evidence_keys):
            return np.zeros(len(triple), bool)
        keys = triple * _SENTENCES + sentence
        place = np.searchsorted(self.evidence_keys, keys)
        place[place == len(self.evidence_keys)] = 0
        inside = (triple >= 0) & (sentence >= 0) & (sentence < _SENTENCES)
        found: NDArray[np.bool_] = inside & (self.evidence_keys[place] == keys)
        return found


def pack(columns: Sequence[Ints] | Ints, width: int, names: int) -> Ints:
    """Put document, head, tail and relation into one number that sorts like them."""
    document, head, tail, relation = columns
    packed: Ints = ((document * width + head) * width + tail) * names + relation
    return packed


def look_up(
    flat: NDArray[np.int16], start: Ints, entities: Ints, document: Ints, head: Ints, tail: Ints
) -> Ints:
    """Read distances out of all documents' matrices; -1 where there is none."""
    found = np.full(len(document), -1, np.int64)
    known = np.flatnonzero((document >= 0) & (document < len(start)))
    size = entities[document[known]]
    inside = (np.minimum(head[known], tail[known]) >= 0) & (
        np.maximum(head[known], tail[known]) < size
    )
    known, size = known[inside], size[inside]
    found[known] = flat[start[document[known]] + head[known] * size + tail[known]]
    return found


def _triples(
    labels: list[tuple[Document, Relation]], ids: Ids, relation_ids: Ids
) -> tuple[Ints, list[list[Relation]]]:
    """Collapse label entries into distinct triples, each with its entries."""
    collected: dict[tuple[int, int, int, int], list[Relation]] = {}
    for document, label in labels:
        key = ids[document.id], label.head, label.tail, relation_ids[label.relation]
        collected.setdefault(key, []).append(label)
    return np.array(list(collected), np.int64).reshape(-1, 4), list(collected.values())


def _evidence(collected: list[list[Relation]]) -> Ints:
    # of a repeated label the last entry's evidence counts, as in the official scorer
    keys = {
        index * _SENTENCES + sentence
        for index, entries in enumerate(collected)
        for sentence in entries[-1].evidence or ()
        if 0 <= sentence < _SENTENCES
    }
    return np.array(sorted(keys), np.int64)


def _seen(
    documents: list[Document], triples: Ints, names: Sequence[str], facts: list[Facts]
) -> NDArray[np.bool_]:
    seen = np.zeros((len(facts), len(triples)), bool)
    if not facts:
        return seen
    entities = [entity_names(document) for document in documents]
    for index, (document, head, tail, relation) in enumerate(triples.tolist()):
        named = entities[document]
        for number, known in enumerate(facts):
            seen[number, index] = is_seen(named[head], named[tail], names[relation], known.triples)
    return seen


def _require_unique(documents: Sequence[Document]) -> None:
    counts = Counter(document.id for document in documents)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        message = "another document of the gold has the same title"
        raise DataError([Problem("duplicate-title", message, name, "id") for name in repeated])
