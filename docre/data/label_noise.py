"""Worse to learn from, on purpose: hidden, dropped and wrong labels, or only a few documents.

Only what training sees is changed; the cache, the pairs and the scores stay as they are. The same
seed always hides and adds the same labels. Keeping a smaller fraction hides a superset of what a
larger one hides, and a larger fraction of wrong labels is a superset of a smaller one, so that
curves over a fraction are about the fraction alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from docre.data.feature_table import AddedLabels, FeatureTable
from docre.data.relations import RelationSet
from docre.data.wrong_labels import draw_wrong_labels
from docre.errors import DocreError

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
WrongPairs = Literal["any", "same_types"]


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """What training sees otherwise than it is.

    Args:
        keep_labels: Fraction of the training labels that stay; the 'extremely unlabelled' setting
            is about 0.19.
        drop_relations: Relations whose labels are all hidden.
        shots: Take documents, in random order, only until every relation has so many examples
            (fewer, if ``keep_labels`` hides some of them).
        wrong_labels: Number of wrong labels that are added, as a fraction of the number of labels
            before anything is hidden. Each is a candidate pair of a labelled document with a
            relation it does not have, not even hidden; relations are as frequent as among those
            labels, see :mod:`docre.data.wrong_labels`. They have no evidence. ``keep_labels`` hides
            none of them; those of dropped relations, or in documents that ``shots`` leaves out, go
            with these.
        wrong_pairs: ``any``: all pairs are equally likely to get a wrong label; most of these are
            absurd and easily seen through. ``same_types``: all whose head and tail have types that
            the relation truly has in some training document.
        seed: Decides which labels and documents; each kind of noise has chances of its own.
    """

    keep_labels: float = 1.0
    drop_relations: list[str] = field(default_factory=list)
    shots: int | None = None
    wrong_labels: float = 0.0
    wrong_pairs: WrongPairs = "any"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.keep_labels <= 1.0:
            raise ValueError(f"keep_labels must be between 0 and 1, not {self.keep_labels}")
        if self.shots is not None and self.shots < 1:
            raise ValueError(f"shots must be at least 1, not {self.shots}")
        if not 0.0 <= self.wrong_labels < math.inf:
            raise ValueError(
                f"wrong_labels must be finite and not negative, not {self.wrong_labels}"
            )
        if self.wrong_pairs not in get_args(WrongPairs):
            raise ValueError(f"wrong_pairs must be any or same_types, not {self.wrong_pairs!r}")


def apply_noise(table: FeatureTable, noise: LabelNoise, relations: RelationSet) -> FeatureTable:
    """Return the training table as the noise settings want it."""
    document, relation = table.labels()
    dropped = [relations.index(name) for name in noise.drop_relations]
    keep = ~np.isin(relation, dropped)
    if noise.wrong_labels > 0:
        wrong = draw_wrong_labels(
            table, noise.wrong_labels, noise.seed, relations, noise.wrong_pairs == "same_types"
        )
        wanted = ~np.isin(wrong.relation, dropped)
        table = table.with_added(AddedLabels(*(column[wanted] for column in wrong)))
    if noise.shots is not None:  # what is dropped anyway needs no examples
        chosen = few_shot_documents(document[keep], relation[keep], len(table), noise)
        if not len(chosen):
            raise DocreError("noise: no training document is left, none has a label")
        table = table.select(chosen)
    if noise.keep_labels < 1.0:
        keep &= kept_at_random(len(relation), noise.keep_labels, noise.seed)
    return table if keep.all() else table.with_labels(keep)


def kept_at_random(count: int, fraction: float, seed: int) -> BoolArray:
    """Return which labels stay: exactly the fraction of them, rounded to the nearest label."""
    rank = np.random.default_rng([seed, 1]).permutation(count)
    return rank < round(fraction * count)


def few_shot_documents(
    document: IntArray, relation: IntArray, count: int, noise: LabelNoise
) -> IntArray:
    """Return documents, in their own order, that give every relation its examples.

    A document is taken if it has a relation that still lacks examples; all its labels stay, so
    what is unlabelled in it is truly negative.

    Args:
        document: Document of every label.
        relation: Relation of every label.
        count: Number of documents.
        noise: Number of examples and seed.
    """
    wanted = noise.shots or 0
    parts = np.split(relation, np.searchsorted(document, np.arange(1, count)))
    have = np.zeros(int(relation.max(initial=-1)) + 1, dtype=np.int64)
    taken = []
    for row in np.random.default_rng([noise.seed, 2]).permutation(count):
        found = parts[row]
        if len(found) and (have[found] < wanted).any():
            np.add.at(have, found, 1)
            taken.append(row)
    return np.sort(np.array(taken, dtype=np.int64))


def class_priors(table: FeatureTable, num_relations: int) -> NDArray[np.float64]:
    """Return how often each relation is labelled among all candidate pairs.

    Args:
        table: Training documents; hidden labels do not count, wrong ones do.
        num_relations: ``R``.

    Returns:
        Label counts divided by the number of pairs, zeros where there are no pairs.  # [R]
    """
    counts = np.bincount(table.seen_relations(), minlength=num_relations)
    # pairs of documents that nobody labelled say nothing about how often a relation holds
    return counts / max(int(table.num_pairs[table.labelled].sum()), 1)
