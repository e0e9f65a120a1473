"""Which mentions are one entity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.joint.initialisation import start_as_bert
from docre.joint.lookup import projected_rows


class CoreferenceHead(nn.Module):
    """Scores pairs of mentions from both states and the edit distance of their texts.

    The score depends on the order of the two. Only pairs that are asked for are scored: clustering
    needs those with the first mention before the second (:mod:`docre.joint.clustering`).

    Reference: JEREX (Eberts and Ulges, 2021), section 3.2.

    Args:
        in_features: ``D``, width of a mention's state.
        edit_rows: Edit distances that are told apart, 0 included; longer ones count as the longest.
        edit_features: Width of the embedding of a distance.
        dropout: Of the hidden layer.
    """

    def __init__(
        self,
        in_features: int,
        edit_rows: int = 300,
        edit_features: int = 25,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.edit_embedding = nn.Embedding(edit_rows, edit_features)
        self.hidden = nn.Linear(2 * in_features + edit_features, in_features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(in_features, 1)
        start_as_bert(self)

    def forward(
        self, mentions: Tensor, first: Tensor, second: Tensor, edit_distance: Tensor
    ) -> Tensor:
        """Return the logit of each pair.

        Args:
            mentions: States.  # [M, D]
            first: Mention of each pair.  # [C]
            second: The other one.  # [C]
            edit_distance: Of their texts.  # [C]

        Returns:
            # [C]
        """
        width, features = mentions.shape[1], self.edit_embedding.embedding_dim
        of_first, of_second, of_edit = torch.split(self.hidden.weight, [width, width, features], 1)
        as_first = functional.linear(mentions, of_first, self.hidden.bias)  # [M, D]
        as_second = functional.linear(mentions, of_second)  # [M, D]
        hidden = as_first.index_select(0, first)  # [C, D]
        hidden = hidden.add_(as_second.index_select(0, second))
        hidden = hidden.add_(projected_rows(self.edit_embedding, of_edit, edit_distance)).relu_()
        logits: Tensor = self.output(self.dropout(hidden)).squeeze(1)  # [C]
        return logits
