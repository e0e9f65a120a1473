"""Scores of groups of triples: by sentence distance, by relation, by sets of relations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from docre.scoring.counts import Matches
from docre.scoring.gold import Gold
from docre.scoring.predictions import Ints
from docre.scoring.rates import Rates, harmonic, ratio
from docre.scoring.relation_groups import RelationGroup

# name, smallest and largest sentence distance; the benchmark's own three, then the bins
DISTANCES: tuple[tuple[str, int, float], ...] = (
    ("intra", 0, 0),
    ("inter", 1, np.inf),
    ("inter_long", 6, np.inf),
    ("distance_0", 0, 0),
    ("distance_1", 1, 1),
    ("distance_2", 2, 2),
    ("distance_3", 3, 3),
    ("distance_4_5", 4, 5),
    ("distance_6_up", 6, np.inf),
)


@dataclass(frozen=True, slots=True)
class RelationGroupRates(Rates):
    """Scores of a set of relations; gold and predictions are both restricted to it.

    Args:
        all_predicted: Number of all predictions, of whatever relation.
    """

    all_predicted: int = field(default=0, kw_only=True)

    @property
    def precision_over_all_predictions(self) -> float:
        """The precision of published top-k tables: divided by all predictions, so too low."""
        return float(ratio(self.correct, self.all_predicted))

    @property
    def f1_over_all_predictions(self) -> float:
        """The F1 that follows from that precision; not the F1 of these relations."""
        return float(harmonic(self.precision_over_all_predictions, self.recall))

    def to_dict(self) -> dict[str, Any]:
        """Return the scores, the published ones under their own long names."""
        return {
            **Rates.to_dict(self),
            "precision_over_all_predictions": self.precision_over_all_predictions,
            "f1_over_all_predictions": self.f1_over_all_predictions,
        }


def by_distance(matches: Matches, gold: Gold) -> dict[str, Rates]:
    """Return the scores by sentence distance of the two entities.

    A prediction for an unknown document or entity has no distance and is in no group.
    """
    scored = matches.documents[gold.triples[:, 0]]
    there = gold.distance[scored]
    predicted = gold.distances(matches.document, matches.head, matches.tail)
    correct = predicted[matches.triple >= 0]
    return {
        name: Rates(*(_between(d, low, high) for d in (there, predicted, correct)))
        for name, low, high in DISTANCES
    }


def _between(distance: Ints, low: int, high: float) -> int:
    return int(((distance >= low) & (distance <= high)).sum())


def by_relation(matches: Matches, gold: Gold) -> dict[str, Rates]:
    """Return the scores of each relation of the gold."""
    size = len(gold.relations)
    scored = gold.triples[matches.documents[gold.triples[:, 0]], 3]
    named = matches.relation >= 0
    hits = matches.triple >= 0
    columns = (scored, matches.relation[named], matches.relation[hits])
    table = np.stack([np.bincount(column, minlength=size) for column in columns], axis=1)
    return {name: Rates(*row) for name, row in zip(gold.relations, table.tolist(), strict=True)}


def by_relation_set(
    matches: Matches, gold: Gold, sets: Collection[RelationGroup]
) -> dict[str, RelationGroupRates]:
    """Return the scores of sets of relations."""
    scored = gold.triples[matches.documents[gold.triples[:, 0]], 3]
    rates = {}
    for chosen in sets:
        inside = chosen.contains(matches.relation, gold.relation_ids)
        rates[chosen.name] = RelationGroupRates(
            gold=int(chosen.contains(scored, gold.relation_ids).sum()),
            predicted=int(inside.sum()),
            correct=int((inside & (matches.triple >= 0)).sum()),
            all_predicted=len(inside),
        )
    return rates


def macro_f1(relations: Mapping[str, Rates]) -> float:
    """Return the mean F1 of the relations that have at least one gold label."""
    values = [rates.f1 for rates in relations.values() if rates.gold]
    return float(np.mean(values)) if values else 0.0
