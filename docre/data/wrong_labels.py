"""Labels that are not true, drawn by chance for the training documents.

The relation of each is drawn as often as it occurs among the true labels, so that class priors keep
their shape; its pair is any one that does not have this relation, all equally likely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from docre.data.columns import schema
from docre.data.feature_table import AddedLabels, FeatureTable
from docre.data.relations import RelationSet
from docre.errors import DocreError

IntArray = NDArray[np.int64]

# Numbers of streams: 1 and 2 are those of hidden labels and few-shot documents.
_STREAM = 3
_NEEDED = {"label_head", "label_tail", "entity_type"}


def draw_wrong_labels(
    table: FeatureTable, fraction: float, seed: int, relations: RelationSet
) -> AddedLabels:
    """Return wrong labels for the documents of the whole data set that were labelled at all.

    The same seed always draws the same labels, and a larger fraction a superset of a smaller one.

    Args:
        table: The documents; whether their labels are to be seen does not matter.
        fraction: Number of wrong labels, as a fraction of the number of true ones.
        seed: Decides which.
        relations: Names for messages.

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
    for kind, most in zip(kinds.tolist(), wanted, strict=True):
        taken = np.unique(true[relation == kind])
        _require_places(most, len(pairs) - len(taken), f"of {relations.names[kind]}")
        chance = np.random.default_rng([seed, _STREAM, 1 + kind])
        found.append(_different(chance, len(pairs), most, taken))
    document, head, tail = pairs.at(np.concatenate(found))
    order = np.argsort(document, kind="stable")
    names = np.repeat(kinds, wanted)
    return AddedLabels(*(column[order] for column in (document, head, tail, names)))


class PairNumbers:
    """Numbers for the candidate pairs of all labelled documents, without a list of these pairs.

    A distantly labelled file has tens of millions of them. They are counted document by document,
    in each row-major.
    """

    def __init__(self, table: FeatureTable) -> None:
        counts = np.where(table.scalars("labelled"), table.scalars("num_pairs"), 0)
        self._offset: IntArray = np.concatenate(([0], np.cumsum(counts)))  # [D + 1]
        self._entities = np.diff(table.offsets("entity_type"))  # [D]
        self._listed = np.zeros(len(counts), dtype=bool)
        if "typed" in schema(table.kind).names:  # candidates of some documents are listed
            self._listed = table.scalars("typed").astype(bool)
            self._list_offset = table.offsets("candidate_head")
            self._list_head, self._list_tail = map(table.flat, ("candidate_head", "candidate_tail"))

    def __len__(self) -> int:
        return int(self._offset[-1])

    def number(self, document: IntArray, head: IntArray, tail: IntArray) -> IntArray:
        """Return the numbers of some candidate pairs of labelled documents."""
        number: IntArray = head * (self._entities[document] - 1) + tail - (tail > head)
        listed = self._listed[document]
        if listed.any():
            row = np.repeat(np.arange(len(self._entities)), np.diff(self._list_offset))
            # lists are row-major, so their keys rise
            keys = self._key(row, self._list_head, self._list_tail)
            own = self._key(document[listed], head[listed], tail[listed])
            number[listed] = np.searchsorted(keys, own) - self._list_offset[document[listed]]
        number += self._offset[document]
        return number

    def at(self, number: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return document, head and tail of some numbers."""
        document = np.searchsorted(self._offset, number, side="right") - 1
        place = number - self._offset[document]
        head, tail = np.divmod(place, np.maximum(self._entities[document] - 1, 1))
        tail += tail >= head  # the diagonal is left out
        listed = self._listed[document]
        if listed.any():
            place = self._list_offset[document[listed]] + place[listed]
            head[listed], tail[listed] = self._list_head[place], self._list_tail[place]
        return document, head, tail

    def _key(self, document: IntArray, head: IntArray, tail: IntArray) -> IntArray:
        width = int(self._entities.max())
        return (document * width + head) * width + tail


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
