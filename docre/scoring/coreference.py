"""MUC, B3 and CEAF-e: credit for clusters of mentions that are partly right.

The definitions are those of the reference scorer of the CoNLL shared tasks (Pradhan et al. 2014):
neither side is changed before counting. A mention of one side only counts against precision or
recall, and a cluster of one mention is a cluster; it has no link, so MUC does not see it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from docre.scoring.predictions import Ints
from docre.scoring.rates import Floats, harmonic, ratio

# the clusters of a document; a mention is anything that can be hashed and sorted
Clusters = Collection[Collection[Any]]


@dataclass(frozen=True, slots=True)
class PartialRates:
    """Precision, recall and F1 where an item may be partly right.

    Args:
        gold_credit: How much of the gold was found.
        gold: How much there is to find.
        predicted_credit: How much of the prediction is right.
        predicted: How much was predicted.
    """

    gold_credit: float
    gold: float
    predicted_credit: float
    predicted: float

    @property
    def precision(self) -> float:
        """Share of the prediction that is right; 0 without predictions."""
        return float(ratio(self.predicted_credit, self.predicted))

    @property
    def recall(self) -> float:
        """Share of the gold that was found; 0 without gold."""
        return float(ratio(self.gold_credit, self.gold))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are 0."""
        return float(harmonic(self.precision, self.recall))


@dataclass(frozen=True, slots=True)
class CoreferenceScores:
    """The coreference scores of all documents together.

    Args:
        muc: Links: how many a cluster needs less than it takes to join its pieces.
        b3: Mentions: how much of its own cluster each one has around it.
        ceaf_e: Entities: the best one-to-one alignment of the clusters.
        repeated_gold: Places of a gold mention in further clusters, which do not count.
        repeated_predicted: Those of predicted mentions.
    """

    muc: PartialRates
    b3: PartialRates
    ceaf_e: PartialRates
    repeated_gold: int
    repeated_predicted: int

    @property
    def conll_f1(self) -> float:
        """Mean of the three F1."""
        return (self.muc.f1 + self.b3.f1 + self.ceaf_e.f1) / 3

    def to_dict(self) -> dict[str, float]:
        """Return all numbers under flat names."""
        flat = {"conll_f1": self.conll_f1}
        for name, rates in (("muc", self.muc), ("b3", self.b3), ("ceaf_e", self.ceaf_e)):
            flat[f"{name}_f1"] = rates.f1
            flat[f"{name}_precision"] = rates.precision
            flat[f"{name}_recall"] = rates.recall
        flat["repeated_gold_mentions"] = self.repeated_gold
        flat["repeated_predicted_mentions"] = self.repeated_predicted
        return flat


def score_coreference(documents: Iterable[tuple[Clusters, Clusters]]) -> CoreferenceScores:
    """Score clusters of mentions.

    Credit and what it is divided by are summed over the documents first. The definitions want each
    mention in one cluster: of several the largest has it, of equally large ones the first in sorted
    order; the other places are counted.

    Args:
        documents: Gold and predicted clusters of each document.

    Example:
        >>> scores = score_coreference([([{"a", "b", "c"}], [{"a", "b"}, {"c"}])])
        >>> scores.muc.precision, scores.muc.recall
        (1.0, 0.5)
    """
    credit = np.zeros((3, 4))
    repeated = np.zeros(2, np.int64)
    for gold, predicted in documents:
        gold_owner, gold_repeated = owners(gold)
        predicted_owner, predicted_repeated = owners(predicted)
        credit += document_credit(gold_owner, predicted_owner)
        repeated += gold_repeated, predicted_repeated
    muc, b3, ceaf_e = (PartialRates(*row) for row in credit.tolist())
    return CoreferenceScores(muc, b3, ceaf_e, *repeated.tolist())


def owners(clusters: Clusters) -> tuple[dict[Any, int], int]:
    """Say which cluster has each mention, whatever order the clusters are listed in.

    Returns:
        Numbers from 0, of clusters that have a mention; how often a mention was already taken.
    """
    owner: dict[Any, int] = {}
    repeated = number = 0
    for mentions in sorted((sorted(set(c)) for c in clusters), key=lambda c: (-len(c), c)):
        free = [mention for mention in mentions if mention not in owner]
        repeated += len(mentions) - len(free)
        owner.update(dict.fromkeys(free, number))
        number += bool(free)
    return owner, repeated


def document_credit(gold: dict[Any, int], predicted: dict[Any, int]) -> Floats:
    """Count one document.

    Args:
        gold: The cluster of each mention.
        predicted: That of each predicted mention.

    Returns:
        Gold credit, gold, predicted credit and predicted of MUC, B3 and CEAF-e, ``[3, 4]``.
    """
    rows, columns = _sizes(gold), _sizes(predicted)
    cells = [number * len(columns) + predicted[m] for m, number in gold.items() if m in predicted]
    flat = np.bincount(np.array(cells, np.int64), minlength=len(rows) * len(columns))
    shared = flat.reshape(len(rows), len(columns))  # [gold clusters, predicted clusters]
    # n mentions in k pieces hold n - k links, and each cell is a piece on both sides
    links = shared.sum() - np.count_nonzero(shared)
    squares = shared**2
    aligned = best_alignment(2 * shared / (rows[:, None] + columns))
    muc = links, rows.sum() - len(rows), links, columns.sum() - len(columns)
    b3 = (squares / rows[:, None]).sum(), rows.sum(), (squares / columns).sum(), columns.sum()
    ceaf_e = aligned, len(rows), aligned, len(columns)
    return np.array([muc, b3, ceaf_e], np.float64)


def best_alignment(similarity: Floats) -> float:
    """Return the largest sum over pairs of rows and columns, each used at most once."""
    # scipy is slow to import, and nothing else here needs it
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    chosen = linear_sum_assignment(similarity, maximize=True)
    return float(similarity[chosen].sum())


def _sizes(owner: dict[Any, int]) -> Ints:
    return np.bincount(np.fromiter(owner.values(), np.int64, len(owner)))
