"""A head: entities, context and memory into a small network."""

from __future__ import annotations

import torch
from docre.batch import Batch
from docre.context import ContextFactory, LocalizedContext
from docre.heads import Head
from docre.memory import MemoryFactory
from docre.outputs import Encoded, HeadOutput
from docre.pooling import entity_attention, mention_states, segment_mean
from torch import nn


class PerceptronHead(Head):
    """Scores a pair by two linear layers over head, tail and context.

    Args:
        in_features: Width of the token states; docre gives it.
        num_relations: Number of relations; docre gives it.
        hidden: Width between the layers.
        context: Makes the context of a pair.
        memory: Re-reads head and tail; none if left out.
    """

    def __init__(
        self,
        in_features: int,
        num_relations: int,
        hidden: int = 128,
        context: ContextFactory = LocalizedContext,
        memory: MemoryFactory | None = None,
    ) -> None:
        super().__init__(in_features, num_relations)
        self.context = context(in_features)
        self.memory = None if memory is None else memory(in_features)
        self.score = nn.Sequential(
            nn.Linear(2 * in_features + self.context.out_features, hidden),
            nn.GELU(),
            nn.Linear(hidden, 1 + num_relations),  # column 0 is the threshold
        )

    def forward(self, encoded: Encoded, batch: Batch) -> HeadOutput:
        """Return the scores of all pairs."""
        mentions = mention_states(encoded.token_states, batch)
        entities = segment_mean(mentions, batch.mention_entity, batch.num_entities)  # [E, D]
        attention = entity_attention(encoded.mention_attention, batch)
        context = self.context(encoded, entities, attention, batch)
        head, tail = entities[batch.pair_head], entities[batch.pair_tail]  # [P, D]
        if self.memory is not None:
            head, tail = self.memory(head, tail, batch.pair_doc)
        pairs = torch.cat([head, tail, context.per_pair(context.states)], 1)  # [P, 2 D + C]
        return HeadOutput(self.score(pairs), context)
