"""Entities made of mentions, and their types."""

from __future__ import annotations

from torch import Tensor, nn

from docre.joint.initialisation import start_as_bert
from docre.pooling import segment_max


class EntityStates(nn.Module):
    """The element-wise maximum of an entity's mentions, with dropout.

    The result goes to all heads that look at entities: an entity is dropped once for all its pairs.

    Args:
        dropout: Of the entities.
    """

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, mentions: Tensor, member: Tensor, entity: Tensor, count: int) -> Tensor:
        """Return the state of each entity.

        Args:
            mentions: States.  # [M, D]
            member: Mentions that belong to an entity; one may belong to several.  # [K]
            entity: The entity each belongs to.  # [K]
            count: ``E``, number of entities.

        Returns:
            Zero for an entity without a mention.  # [E, D]
        """
        pooled: Tensor = self.dropout(segment_max(mentions.index_select(0, member), entity, count))
        return pooled  # [E, D]


class EntityTypeHead(nn.Module):
    """Scores the types of an entity.

    Reference: JEREX (Eberts and Ulges, 2021), section 3.3.

    Args:
        in_features: ``D``, width of an entity's state.
        num_types: Number of types; there is none for a wrong entity.
        dropout: Of the hidden layer.
    """

    def __init__(self, in_features: int, num_types: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.hidden = nn.Linear(in_features, in_features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(in_features, num_types)
        start_as_bert(self)

    def forward(self, entities: Tensor) -> Tensor:
        """Return the logits of each entity's types, [E, types], from its state, [E, D]."""
        hidden = self.hidden(entities).relu_()
        logits: Tensor = self.output(self.dropout(hidden))  # [E, types]
        return logits
