"""The contract of a context: what a document says about two of its entities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from docre.batch import Batch
from docre.outputs import Encoded, PairContext


class Context(nn.Module, ABC):
    """Makes the context of each pair.

    Args:
        in_features: Width of token and entity states.

    Attributes:
        out_features: Width of a context.
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = in_features

    @abstractmethod
    def forward(
        self, encoded: Encoded, entity_states: Tensor, entity_attention: Tensor, batch: Batch
    ) -> PairContext:
        """Return the contexts of all pairs.

        Args:
            encoded: What the encoder made of the batch.
            entity_states: Pooled mentions.  # [E, D]
            entity_attention: Averaged attention of the mentions.  # [E, H, T]
            batch: The batch.
        """


ContextFactory = Callable[[int], Context]
"""Makes a context from the width of the encoder."""
