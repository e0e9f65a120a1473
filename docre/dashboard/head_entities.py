"""Head entities as points: what a memory is read with, averaged over the pairs of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from docre.batch import Batch


class EntityPoint(NamedTuple):
    """A head entity: its mean vector over the pairs it heads, and what it is.

    Args:
        vector: # [D]
        type: Its type, as the data call it.
        document: Where it is from.
        number: Which entity of the document.
    """

    vector: Tensor
    type: str
    document: str
    number: int


def head_entities(vectors: Tensor, pairs: Batch, types: Sequence[str]) -> list[EntityPoint]:
    """Return the entities that are head of a pair.

    Args:
        vectors: Head of each pair, as a memory is read with it.  # [P, D]
        pairs: The batch with just these pairs.
        types: Names of the entity types.
    """
    exact = vectors.float()
    sums = exact.new_zeros(pairs.num_entities, exact.shape[1])
    sums.index_add_(0, pairs.pair_head, exact)  # [E, D]
    count = torch.bincount(pairs.pair_head, minlength=pairs.num_entities)  # [E]
    means = (sums / count.clamp(min=1).unsqueeze(1)).cpu()
    first = pairs.entity_offset.tolist()
    columns = zip(
        pairs.entity_doc.tolist(), pairs.entity_type.tolist(), count.tolist(), strict=True
    )
    return [
        EntityPoint(
            means[entity],
            types[kind] if 0 <= kind < len(types) else "",
            pairs.document_ids[document],
            entity - first[document],
        )
        for entity, (document, kind, heads) in enumerate(columns)
        if heads
    ]
