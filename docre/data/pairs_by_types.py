"""Candidate pairs, found by the types of their two entities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from docre.data.feature_table import FeatureTable
from docre.data.pair_numbers import PairNumbers

IntArray = NDArray[np.int64]

_AT_A_TIME = 1_000_000  # a distantly labelled file has tens of millions


class PairsByTypes:
    """The pairs of all labelled documents, those of the same two types next to each other.

    Args:
        table: The documents.
        pairs: What numbers their pairs.
    """

    def __init__(self, table: FeatureTable, pairs: PairNumbers) -> None:
        types = table.flat("entity_type").astype(np.int32)
        first = table.offsets("entity_type")
        kinds = int(types.max(initial=0)) + 1
        parts = [np.zeros(0, np.int32)]
        for start in range(0, len(pairs), _AT_A_TIME):
            numbers = np.arange(start, min(start + _AT_A_TIME, len(pairs)))
            document, head, tail = pairs.at(numbers)
            parts.append(types[first[document] + head] * kinds + types[first[document] + tail])
        self._kind = np.concatenate(parts)  # of each pair, by its number
        self._order = np.argsort(self._kind, kind="stable")
        self._sorted = self._kind[self._order]

    def like(self, numbers: IntArray) -> IntArray:
        """Return the numbers of all pairs whose types are those of one of these pairs, rising."""
        kinds = np.unique(self._kind[numbers])
        starts, ends = (np.searchsorted(self._sorted, kinds, side) for side in ("left", "right"))
        found = [self._order[a:b] for a, b in zip(starts, ends, strict=True)]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
