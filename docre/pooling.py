"""From mentions to entities: states and attention.

Formulas are functions; the classes hold what is learned and give them a name in YAML. An entity
without a mention has a zero vector and a zero attention map, as published code has it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from docre.batch import Batch


def mention_states(token_states: Tensor, batch: Batch) -> Tensor:
    """Return the state each mention is read at, that of its opening marker, [M, D]."""
    document = batch.entity_doc[batch.mention_entity]
    return token_states[document, batch.mention_token]


def segment_mean(values: Tensor, segment: Tensor, count: int) -> Tensor:
    """Average rows that belong together; zero where there are none.

    Args:
        values: Rows.  # [M, ...]
        segment: Where a row belongs.  # [M]
        count: Number of segments.
    """
    total = values.new_zeros(count, *values.shape[1:]).index_add(0, segment, values)
    size = torch.bincount(segment, minlength=count).clamp(min=1).to(values.dtype)
    return total / size.view(-1, *[1] * (values.dim() - 1))


def segment_max(values: Tensor, segment: Tensor, count: int) -> Tensor:
    """Return the element-wise maximum of rows that belong together; zero where there are none."""
    index = segment.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    zeros = values.new_zeros(count, *values.shape[1:])
    return zeros.scatter_reduce(0, index, values, "amax", include_self=False)


def segment_logsumexp(values: Tensor, segment: Tensor, count: int) -> Tensor:
    """Return the element-wise logsumexp of rows that belong together; zero where there are none.

    Computed in at least float32. A single row comes back unchanged.
    """
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    largest = segment_max(values.detach(), segment, count)
    shifted = (values - largest[segment]).exp()
    total = values.new_zeros(largest.shape).index_add(0, segment, shifted)
    # without a row the total is 0: its logarithm must not reach the gradient either
    return largest + torch.where(total > 0, total, 1).log()


def segment_softmax(scores: Tensor, segment: Tensor, count: int) -> Tensor:
    """Return softmax weights among rows that belong together, in at least float32."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    largest = segment_max(scores.detach(), segment, count)
    weights = (scores - largest[segment]).exp()
    total = weights.new_zeros(largest.shape).index_add(0, segment, weights)
    return weights / total[segment]


def entity_attention(mention_attention: Tensor, batch: Batch) -> Tensor:
    """Average the attention maps of an entity's mentions, [E, H, T]."""
    return segment_mean(mention_attention, batch.mention_entity, batch.num_entities)


class EntityPooling(nn.Module, ABC):
    """How the states of an entity's mentions become one.

    Args:
        width: Of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, mentions: Tensor, entity: Tensor, count: int) -> Tensor:
        """Return entity states.

        Args:
            mentions: States.  # [M, D]
            entity: Entity of each mention.  # [M]
            count: Number of entities.

        Returns:
            Zero for an entity without a mention.  # [E, D]
        """


PoolingFactory = Callable[[int], EntityPooling]


class LogSumExpPooling(EntityPooling):
    """A smooth maximum over mentions.

    Reference: ATLOP (Zhou et al., 2021), equation 2; all pair systems since.
    """

    def forward(self, mentions: Tensor, entity: Tensor, count: int) -> Tensor:
        """Return entity states; see the base class."""
        return segment_logsumexp(mentions, entity, count)


class MeanPooling(EntityPooling):
    """The average of the mentions."""

    def forward(self, mentions: Tensor, entity: Tensor, count: int) -> Tensor:
        """Return entity states; see the base class."""
        return segment_mean(mentions, entity, count)


class MaxPooling(EntityPooling):
    """The element-wise maximum of the mentions."""

    def forward(self, mentions: Tensor, entity: Tensor, count: int) -> Tensor:
        """Return entity states; see the base class."""
        return segment_max(mentions, entity, count)


class AttentionPooling(EntityPooling):
    """An average weighted by a learned score of each mention.

    Args:
        width: Of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        # no bias: a softmax does not see it, and a parameter without gradient stops plain DDP
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, mentions: Tensor, entity: Tensor, count: int) -> Tensor:
        """Return entity states; see the base class."""
        weights = segment_softmax(self.score(mentions), entity, count)  # [M, 1]
        total = weights.new_zeros(count, mentions.shape[1])
        return total.index_add(0, entity, weights * mentions)
