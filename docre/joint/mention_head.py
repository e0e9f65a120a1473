"""Which spans are mentions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.joint.initialisation import start_as_bert
from docre.joint.lookup import projected_rows


class MentionHead(nn.Module):
    """Scores spans from their state and their number of words.

    Reference: JEREX (Eberts and Ulges, 2021), section 3.1.

    Args:
        in_features: ``D``, width of a span's state.
        size_rows: Sizes that are told apart, 0 included; longer spans count as the longest.
        size_features: Width of the embedding of a size.
        dropout: Of the hidden layer.
    """

    def __init__(
        self,
        in_features: int,
        size_rows: int = 30,
        size_features: int = 25,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.size_embedding = nn.Embedding(size_rows, size_features)
        self.hidden = nn.Linear(in_features + size_features, in_features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(in_features, 1)
        start_as_bert(self)

    def forward(self, spans: Tensor, sizes: Tensor) -> Tensor:
        """Return the logit of each span.

        Args:
            spans: States.  # [N, D]
            sizes: Number of words.  # [N]

        Returns:
            # [N]
        """
        width, features = spans.shape[1], self.size_embedding.embedding_dim
        of_span, of_size = torch.split(self.hidden.weight, [width, features], 1)
        hidden = functional.linear(spans, of_span, self.hidden.bias)  # [N, D]
        hidden = hidden.add_(projected_rows(self.size_embedding, of_size, sizes)).relu_()
        logits: Tensor = self.output(self.dropout(hidden)).squeeze(1)  # [N]
        return logits
