"""Numbers of candidate pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from docre.data.columns import schema
from docre.data.feature_table import FeatureTable

IntArray = NDArray[np.int64]


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
