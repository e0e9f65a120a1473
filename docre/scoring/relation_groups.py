"""Sets of relations under a name: the frequent ones, the long tail, the top ten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docre.documents import Document
from docre.scoring.gold import Gold
from docre.scoring.predictions import Ids, Ints


@dataclass(frozen=True, slots=True)
class RelationGroup:
    """Some relations under a name, or all relations but some.

    Args:
        name: Name of the group in reports and logs.
        relations: The relations.
        inverted: Take all relations but these.
    """

    name: str
    relations: frozenset[str]
    inverted: bool = False

    def others(self, name: str) -> RelationGroup:
        """Return the set of all other relations."""
        return RelationGroup(name, self.relations, not self.inverted)

    def contains(self, relation: Ints, ids: Ids) -> NDArray[np.bool_]:
        """Say which of the numbered relations are in the set."""
        numbers = np.array([ids[name] for name in self.relations], np.int64)
        return np.isin(relation, numbers, invert=self.inverted)


DOCRED_FREQUENT = RelationGroup(
    "frequent",
    frozenset({"P17", "P131", "P27", "P150", "P175", "P577", "P463", "P527", "P495", "P361"}),
)
"""The ten frequent relations of the Re-DocRED benchmark."""


def most_frequent(
    source: Gold | Iterable[Document], size: int = 10, name: str = ""
) -> RelationGroup:
    """Return the relations with most labels in a gold or in training documents; ties by name."""
    if isinstance(source, Gold):
        numbers = source.triples[:, 3].tolist()
        counts = Counter(source.relations[number] for number in numbers)
    else:
        counts = Counter(r.relation for document in source for r in document.relations or ())
    ranked = sorted(counts, key=lambda relation: (-counts[relation], relation))
    return RelationGroup(name or f"top_{size}", frozenset(ranked[:size]))
