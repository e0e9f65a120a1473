"""Labels that are not true, drawn by chance for the training documents.

The relation of each is drawn as often as it occurs among the true labels, so that class priors keep
their shape; its pair is any one that does not have this relation, all equally likely. Or any one
whose types are those of some true label of this relation: such a label is harder to see through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from docre.data.columns import schema
from docre.data.feature_table import AddedLabels, FeatureTable
from docre.data.pair_numbers import PairNumbers
from docre.data.pairs_by_types import PairsByTypes
from docre.data.relations import RelationSet
from docre.errors import DocreError

IntArray = NDArray[np.int64]

# Numbers of streams: 1 and 2 are those of hidden labels and few-shot documents.
_STREAM = 3
_NEEDED = {"label_head", "label_tail", "entity_type"}


def draw_wrong_labels(
    table: FeatureTable,
    fraction: float,
    seed: int,
    relations: RelationSet,
    of_same_types: bool = False,
) -> AddedLabels:
    """Return wrong labels for the documents of the whole data set that were labelled at all.

    The same seed always draws the same labels, and a larger fraction a superset of a smaller one.

    Args:
        table: The documents; whether their labels are to be seen does not matter.
        fraction: Number of wrong labels, as a fraction of the number of true ones.
        seed: Decides which.
        relations: Names for messages.
        of_same_types: Whether head and tail are to have types that the relation truly has.

    Raises:
        DocreError: If there are not as many pairs without these relations, or if the rows do not
            say which pairs there are.
    """
    missing = _NEEDED - set(schema(table.kind).names)
    if missing:
        raise DocreError(
            "noise.wrong_labels: these examples have none, their rows lack "
            f"{', '.join(sorted(missing))}"
        )
    document, relation = table.labels()
    pairs = PairNumbers(table)
    true = pairs.number(document, table.flat("label_head"), table.flat("label_tail"))
    count = round(fraction * len(relation))
    kinds = np.unique(relation)
    _require_places(count, len(kinds) * len(pairs) - len(relation), "of all relations")
    # each stream depends on the seed alone, and what is taken is always its beginning: so a larger
    # fraction goes on where a smaller one stops
    chance = np.random.default_rng([seed, _STREAM, 0])
    drawn = relation[chance.integers(max(len(relation), 1), size=count)]
    found, wanted = [np.zeros(0, np.int64)], [int((drawn == kind).sum()) for kind in kinds]
    by_types = PairsByTypes(table, pairs) if of_same_types else None
    for kind, most in zip(kinds.tolist(), wanted, strict=True):
        taken = np.unique(true[relation == kind])
        places = None if by_types is None else by_types.like(taken)
        end = len(pairs) if places is None else len(places)
        _require_places(most, end - len(taken), f"of {relations.names[kind]}")
        chance = np.random.default_rng([seed, _STREAM, 1 + kind])
        if places is None:
            found.append(_different(chance, end, most, taken))
        else:
            found.append(places[_different(chance, end, most, np.searchsorted(places, taken))])
    document, head, tail = pairs.at(np.concatenate(found))
    order = np.argsort(document, kind="stable")
    names = np.repeat(kinds, wanted)
    return AddedLabels(*(column[order] for column in (document, head, tail, names)))


def _different(chance: np.random.Generator, end: int, count: int, taken: IntArray) -> IntArray:
    """Return the first so many different numbers below ``end`` that are drawn and not taken."""
    found = np.zeros(0, np.int64)
    while len(found) < count:
        found = np.concatenate((found, chance.integers(end, size=count)))
        found = found[np.sort(np.unique(found, return_index=True)[1])]
        found = found[~np.isin(found, taken)]
    return found[:count]


def _require_places(count: int, places: int, of: str) -> None:
    if count > places:
        raise DocreError(
            f"noise.wrong_labels: {count:,} wrong labels {of} are more than the {places:,} that "
            "there are; choose a smaller fraction"
        )
