"""Checks of contexts."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from docre.batch import Batch
from docre.context.base import Context
from docre.outputs import Encoded, PairContext
from docre.pooling import entity_attention, mention_states, segment_logsumexp
from docre.testing.documents import CASES
from docre.testing.pair_tester import PairTester
from docre.testing.saying import must


class ContextTester(PairTester):
    """All checks of a context.

    Example:
        A test module of one's own::

            class TestMyContext(ContextTester):
                def make(self, in_features):
                    return MyContext(in_features)
    """

    def make(self, in_features: int) -> Context:
        """Return a new context; to be written by the author."""
        raise NotImplementedError("def make(self, in_features) returns a new context")

    def build(self) -> nn.Module:
        """Return a new context."""
        return self.make(self.in_features)

    def contexts(self, module: nn.Module, encoded: Encoded, batch: Batch) -> PairContext:
        """Return what it gives."""
        mentions = mention_states(encoded.token_states, batch)
        entities = segment_logsumexp(mentions, batch.mention_entity, batch.num_entities)
        attention = entity_attention(encoded.mention_attention, batch)
        found = module(encoded, entities.to(mentions.dtype), attention, batch)
        must(
            isinstance(found, PairContext),
            f"{self.name(module)}.forward returns PairContext(states), not {type(found).__name__}",
        )
        return cast(PairContext, found)

    def rows(self, module: nn.Module, encoded: Encoded, batch: Batch) -> Tensor:
        """Return the contexts, one a pair."""
        found = self.contexts(module, encoded, batch)
        return found.per_pair(found.states)

    def columns(self, module: nn.Module) -> int:
        """Return the width it says its contexts have."""
        return int(module.out_features)  # type: ignore[arg-type]

    def test_is_a_context(self) -> None:
        """A head knows its parts by their base classes."""
        made = self.build()
        must(isinstance(made, Context), f"{self.name(made)} is a subclass of docre.context.Context")
        must(
            isinstance(getattr(made, "out_features", None), int),
            f"{self.name(made)} says how wide a context is: super().__init__(in_features) takes "
            "the width of the tokens, self.out_features = ... another",
        )

    def test_attention_is_over_the_tokens(self) -> None:
        """Attention, if there is any, is at least float32, over real tokens, at most 1 in sum."""
        module = self.ready()
        for case, documents in CASES.items():
            encoded, batch = self._given(documents)
            attention = self.contexts(module, encoded, batch).attention
            if attention is None:
                return
            maps = attention.per_pair()
            where = f"{self.name(module)}: for {case}, PairContext.attention"
            wanted = (batch.num_pairs, batch.num_tokens)
            must(maps.shape == wanted, f"{where} is {tuple(maps.shape)}, not [P, T] = {wanted}")
            beyond = maps[~batch.token_mask[batch.pair_doc]]
            must(not bool(beyond.any()), f"{where} looks at padding: multiply by batch.token_mask")
            sums = maps.sum(1)
            in_order = bool((maps >= 0).all()) and bool((sums <= 1 + 1e-4).all())
            must(in_order, f"{where} is not a share of attention for each token: divide by its sum")
            must(
                maps.dtype == torch.promote_types(maps.dtype, torch.float32),
                f"{where} is {maps.dtype}: evidence is read off it, so keep at least float32",
            )
