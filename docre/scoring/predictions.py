"""Predicted triples, as people see them and as rows of integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from docre.documents import Document

Ints = NDArray[np.int64]
# No document has so many entities or sentences.
_FAR = 1 << 61


class Prediction(NamedTuple):
    """One predicted triple.

    Args:
        document: Id of the document.
        head: Index of the head entity.
        tail: Index of the tail entity.
        relation: Name of the relation.
        evidence: Sentences that support it.
        score: Score of the model, not looked at by the metrics.
    """

    document: str
    head: int
    tail: int
    relation: str
    evidence: tuple[int, ...] = ()
    score: float | None = None


def predictions_of(documents: Iterable[Document]) -> list[Prediction]:
    """Take the relations of documents as predictions."""
    return [
        Prediction(d.id, r.head, r.tail, r.relation, r.evidence or (), r.score)
        for d in documents
        for r in d.relations or ()
    ]


class Ids(dict[str, int]):
    """Numbers of known names; an unknown name gets a negative number made of its letters.

    Every process gives an unknown name the same number, so rows from several processes can be put
    together without exchanging names.
    """

    def __missing__(self, name: str) -> int:
        return -1 - int.from_bytes(blake2b(name.encode(), digest_size=7).digest())


class PredictionRows(NamedTuple):
    """Predictions as integers, in their order; ``evidence`` holds all sentences one after another.

    Shapes: ``[N]`` but ``evidence``, which has ``evidence_count.sum()`` elements.
    """

    document: Ints
    head: Ints
    tail: Ints
    relation: Ints
    evidence_count: Ints
    evidence: Ints


def encode(
    predictions: Sequence[Prediction], documents: Mapping[str, int], relations: Mapping[str, int]
) -> PredictionRows:
    """Number the names in predictions."""
    if not predictions:
        return PredictionRows(*(np.zeros(0, np.int64) for _ in PredictionRows._fields))
    titles, heads, tails, names, evidence, _ = zip(*predictions, strict=True)
    return PredictionRows(
        document=_ints(map(documents.__getitem__, titles)),
        head=_ints(heads),
        tail=_ints(tails),
        relation=_ints(map(relations.__getitem__, names)),
        evidence_count=_ints(map(len, evidence)),
        evidence=_ints(chain.from_iterable(evidence)),
    )


def _ints(values: Iterable[int]) -> Ints:
    listed = list(values)
    try:
        return np.array(listed, np.int64)
    except OverflowError:  # as wrong as any other number that no document has
        return np.array([one if abs(one) < _FAR else -2 - abs(one) % _FAR for one in listed])
