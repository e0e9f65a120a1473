"""What entity types alone can solve: the baseline every score should be seen beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from docre.documents import Document
from docre.errors import DataError, Problem
from docre.scoring.gold import UnlabelledError
from docre.scoring.predictions import Prediction
from docre.scoring.rates import harmonic, ratio

TypePair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TypePairBaseline:
    """Predict a relation for every pair of entities whose types have it often enough in training.

    Args:
        relations: Relations to predict, by types of head and tail.
        threshold: Smallest share of the training pairs of those types that has the relation.
        train_f1: F1 on the training documents, the highest any threshold gives.
    """

    relations: dict[TypePair, tuple[str, ...]]
    threshold: float
    train_f1: float

    @classmethod
    def fit(cls, documents: Iterable[Document]) -> TypePairBaseline:
        """Choose the threshold that has the best F1 on the training documents.

        No other choice of relations by type pair has a higher training F1, so this is the strong
        form of the baseline.

        Raises:
            UnlabelledError: If no document has labels.
            DataError: If no pair of entities has a relation.
        """
        listed = list(documents)
        labelled = [document for document in listed if document.relations is not None]
        if not labelled:
            raise UnlabelledError(len(listed))
        pairs, labels = count_types(labelled)
        cells = [(cell, found / pairs[cell[:2]], found) for cell, found in labels.items()]
        if not cells:
            message = "no pair of entities has a relation"
            raise DataError([Problem("no-labels", message, source="training documents")])
        cells.sort(key=lambda cell: (-cell[1], cell[0]))
        shares = np.array([share for _, share, _ in cells])
        correct = np.cumsum([found for _, _, found in cells])
        predicted = np.cumsum([pairs[cell[:2]] for cell, _, _ in cells])
        f1 = harmonic(ratio(correct, predicted), ratio(correct, correct[-1]))
        # equal shares are over the threshold together, so a cut lies only where the share changes
        f1[:-1][shares[1:] == shares[:-1]] = -1
        best = int(f1.argmax())
        chosen: dict[TypePair, list[str]] = {}
        for (head, tail, relation), _, _ in cells[: best + 1]:
            chosen.setdefault((head, tail), []).append(relation)
        relations = {types: tuple(names) for types, names in chosen.items()}
        return cls(relations, float(shares[best]), float(f1[best]))

    def predict(self, document: Document) -> list[Prediction]:
        """Return the predictions for one document, whose labels are not looked at."""
        types = [entity.type for entity in document.entities]
        return [
            Prediction(document.id, head, tail, relation)
            for head, tail in document.pairs()
            for relation in self.relations.get((types[head], types[tail]), ())
        ]


def count_types(
    documents: Iterable[Document],
) -> tuple[Counter[TypePair], Counter[tuple[str, str, str]]]:
    """Count pairs to judge by types, and distinct labels on them by types and relation."""
    pairs: Counter[TypePair] = Counter()
    labels: Counter[tuple[str, str, str]] = Counter()
    for document in documents:
        types = [entity.type for entity in document.entities]
        judged = set(document.pairs())
        pairs.update((types[head], types[tail]) for head, tail in judged)
        triples = {(r.head, r.tail, r.relation) for r in document.relations or ()}
        labels.update((types[h], types[t], r) for h, t, r in triples if (h, t) in judged)
    return pairs, labels
