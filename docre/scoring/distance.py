"""How many sentences lie between two entities of a document."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from docre.documents import Document


def entity_distances(document: Document) -> NDArray[np.int16]:
    """Return the smallest sentence distance between any two mentions of each pair of entities.

    0 means that some sentence names both. It says where entities are named together, not where the
    evidence is. Entities without a mention have distance -1 to all.
    """
    counts = np.array([len(entity.mentions) for entity in document.entities], np.int64)
    distances = np.full((len(counts), len(counts)), -1, np.int16)
    named = np.flatnonzero(counts)
    if not len(named):
        return distances
    sentences = np.array(
        [mention.sentence for entity in document.entities for mention in entity.mentions], np.int16
    )
    gaps = np.abs(sentences[:, None] - sentences[None, :])  # [M, M]
    starts = (np.cumsum(counts) - counts)[named]
    by_head = np.minimum.reduceat(gaps, starts, axis=0)  # [E, M]
    distances[np.ix_(named, named)] = np.minimum.reduceat(by_head, starts, axis=1)  # [E, E]
    return distances
