"""Localized context: the tokens that both entities of a pair attend to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from docre.batch import Batch
from docre.context.base import Context
from docre.outputs import AttentionMaps, Encoded, PairContext


def shared_attention(attention: Tensor, eps: float = 1e-5) -> Tensor:
    """Return how much two entities of a document look at the same token, for every two of them.

    ``a = mean_h A_h[i] * A_h[j]``, divided by its sum over tokens plus ``eps``.

    Args:
        attention: Attention of a document's entities.  # [E, H, T]
        eps: Keeps the division finite.

    Returns:
        At least float32.  # [E, E, T]
    """
    # both operands laid out anew: a CPU multiplies strided batches one by one
    by_token = attention.permute(2, 0, 1).contiguous()  # [T, E, H]
    products = by_token @ by_token.transpose(1, 2).contiguous()  # [T, E, E]
    products = products / attention.shape[1]
    products = products.to(torch.promote_types(products.dtype, torch.float32)).permute(1, 2, 0)
    return products / (products.sum(-1, keepdim=True) + eps)


class LocalizedContext(Context):
    """Averages the tokens that matter to both entities.

    The context of a pair and of its reverse are the same, and computed once.

    Args:
        in_features: Width of token states.
        eps: Added to the sum of a pair's attention; 1e-5 in ATLOP, 1e-30 in DREEAM.

    Reference: ATLOP (Zhou et al., 2021), section 3.2.
    """

    def __init__(self, in_features: int, eps: float = 1e-5) -> None:
        super().__init__(in_features)
        self.eps = eps

    def forward(
        self, encoded: Encoded, entity_states: Tensor, entity_attention: Tensor, batch: Batch
    ) -> PairContext:
        """Return the contexts; see the base class."""
        return localized_contexts(encoded.token_states, entity_attention, batch, self.eps)


def localized_contexts(
    token_states: Tensor,
    entity_attention: Tensor,
    batch: Batch,
    eps: float = 1e-5,
    every: bool = False,
) -> PairContext:
    """Return the localized contexts of all pairs.

    Args:
        token_states: ``[B, T, D]``
        entity_attention: ``[E, H, T]``
        batch: The batch.
        eps: Keeps the division finite.
        every: Also make those of two entities that are no pair, and of an entity with itself, in
            the order of :func:`distinct_pairs`.
    """
    states, index, kept = [], [], []
    seen = 0
    for pairs in distinct_pairs(batch, every):
        tokens = token_states[pairs.document, : pairs.length]  # [t, D]
        of_entities = entity_attention[pairs.first : pairs.first + pairs.entities]
        shared = shared_attention(of_entities[:, :, : pairs.length], eps)
        shared = shared[pairs.rows, pairs.columns]  # [u, t]
        states.append(shared.to(tokens.dtype) @ tokens)
        index.append(pairs.where + seen)
        seen += len(pairs.rows)
        kept.append(torch.nn.functional.pad(shared, (0, batch.num_tokens - pairs.length)))
    if not states:
        exact = torch.promote_types(entity_attention.dtype, torch.float32)
        none = entity_attention[:0].sum(1).to(exact)  # [0, T], in the graph of the attention
        return PairContext(token_states[0, :0], attention=AttentionMaps(none))
    where = torch.cat(index)
    return PairContext(torch.cat(states), where, AttentionMaps(torch.cat(kept), where))


class DistinctPairs(NamedTuple):
    """The pairs of one document, a pair and its reverse taken for one where all pairs are there.

    Args:
        document: Which document.
        first: Its first entity.
        entities: Number of its entities.
        length: Number of its tokens.
        rows: One entity of each, counted in the document; the lower one where all are there.  # [u]
        columns: The other one.  # [u]
        where: Place of each pair of the document among them.  # [p]
    """

    document: int
    first: int
    entities: int
    length: int
    rows: Tensor
    columns: Tensor
    where: Tensor


def distinct_pairs(batch: Batch, every: bool = False) -> Iterator[DistinctPairs]:
    """Yield the distinct pairs of each document that has pairs.

    Pairs of a document are listed once each, and either none is of an entity with itself, or they
    are the whole grid: that is how their number alone tells that all are there.

    Args:
        batch: The batch.
        every: All entities against all, themselves included, whichever the pairs are.
    """
    sizes = batch.sizes
    first_entity = first_pair = 0
    for document, (length, entities, pairs) in enumerate(
        zip(sizes.tokens, sizes.entities, sizes.pairs, strict=True)
    ):
        if pairs:
            head = batch.pair_head[first_pair : first_pair + pairs] - first_entity
            tail = batch.pair_tail[first_pair : first_pair + pairs] - first_entity
            with_itself = every or pairs == entities * entities
            if with_itself or pairs == entities * (entities - 1):  # all: each once either way
                diagonal = 0 if with_itself else 1
                rows, columns = torch.triu_indices(entities, entities, diagonal, device=head.device)
                place = torch.zeros(entities, entities, dtype=torch.long, device=head.device)
                place[rows, columns] = torch.arange(len(rows), device=head.device)
                where = place[torch.minimum(head, tail), torch.maximum(head, tail)]
            else:
                rows, columns = head, tail
                where = torch.arange(pairs, device=head.device)
            yield DistinctPairs(document, first_entity, entities, length, rows, columns, where)
        first_entity += entities
        first_pair += pairs
