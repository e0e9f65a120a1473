"""A context: what stands between two entities."""

from __future__ import annotations

import torch
from docre.batch import Batch
from docre.context import Context
from docre.outputs import Encoded, PairContext
from torch import Tensor, nn


class BetweenContext(Context):
    """Averages the tokens from the first mention of one entity to the first of the other.

    Args:
        in_features: Width of the token states; docre gives it.
        out: Width of a context.
    """

    def __init__(self, in_features: int, out: int = 64) -> None:
        super().__init__(in_features)
        self.out_features = out
        self.project = nn.Linear(in_features, out)

    def forward(
        self, encoded: Encoded, entity_states: Tensor, entity_attention: Tensor, batch: Batch
    ) -> PairContext:
        """Return one context a pair."""
        tokens = self.project(encoded.token_states)  # [B, T, out]
        first = batch.mention_token.new_full((batch.num_entities,), batch.num_tokens)
        first = first.scatter_reduce(0, batch.mention_entity, batch.mention_token, "amin")  # [E]
        head, tail = first[batch.pair_head], first[batch.pair_tail]  # [P]
        begin, end = torch.minimum(head, tail), torch.maximum(head, tail) + 1
        # the sum of a span is the difference of two sums from the start: no loop over pairs
        exact = torch.promote_types(tokens.dtype, torch.float32)
        sums = nn.functional.pad(tokens.to(exact).cumsum(1), (0, 0, 1, 0))  # [B, T + 1, out]
        total = sums[batch.pair_doc, end] - sums[batch.pair_doc, begin]  # [P, out]
        return PairContext((total / (end - begin).unsqueeze(1)).to(tokens.dtype))
