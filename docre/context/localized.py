"""Localized context: the tokens that both entities of a pair attend to."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from docre.batch import Batch
from docre.context.base import Context
from docre.outputs import Encoded, PairContext


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
        states, index, kept = [], [], []
        seen = 0
        for document, first, length, rows, columns, where in _documents(batch):
            tokens = encoded.token_states[document, :length]  # [t, D]
            last = first + batch.sizes.entities[document]
            shared = shared_attention(entity_attention[first:last, :, :length], self.eps)
            shared = shared[rows, columns]  # [u, t]
            states.append(shared.to(tokens.dtype) @ tokens)
            index.append(where + seen)
            seen += len(rows)
            kept.append(torch.nn.functional.pad(shared, (0, batch.num_tokens - length)))
        if not states:
            none = entity_attention.new_zeros(0, batch.num_tokens)
            return PairContext(encoded.token_states[0, :0], attention=none)
        return PairContext(torch.cat(states), torch.cat(index), torch.cat(kept))


def _documents(batch: Batch) -> Iterator[tuple[int, int, int, Tensor, Tensor, Tensor]]:
    """Yield each document that has pairs, with its distinct pairs and each pair's place there."""
    sizes = batch.sizes
    first_entity = first_pair = 0
    for document, (length, entities, pairs) in enumerate(
        zip(sizes.tokens, sizes.entities, sizes.pairs, strict=True)
    ):
        if pairs:
            head = batch.pair_head[first_pair : first_pair + pairs] - first_entity
            tail = batch.pair_tail[first_pair : first_pair + pairs] - first_entity
            if pairs == entities * (entities - 1):  # all of them: each once in either direction
                rows, columns = torch.triu_indices(entities, entities, 1, device=head.device)
                place = torch.zeros(entities, entities, dtype=torch.long, device=head.device)
                place[rows, columns] = torch.arange(len(rows), device=head.device)
                where = place[torch.minimum(head, tail), torch.maximum(head, tail)]
                yield document, first_entity, length, rows, columns, where
            else:
                where = torch.arange(pairs, device=head.device)
                yield document, first_entity, length, head, tail, where
        first_entity += entities
        first_pair += pairs
