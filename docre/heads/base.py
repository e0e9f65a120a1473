"""The contract of a head: encoded documents in, one row of scores a pair out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import nn

from docre.batch import Batch
from docre.outputs import Encoded, HeadOutput


class Head(nn.Module, ABC):
    """Scores the relations of all pairs of a batch.

    A head of your own subclasses this, takes ``in_features`` and ``num_relations`` first and
    whatever it likes after them, and is named in YAML by its import path.

    Args:
        in_features: ``D``, width of the encoder's states.
        num_relations: ``R``, without the threshold.
    """

    def __init__(self, in_features: int, num_relations: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.num_relations = num_relations

    @abstractmethod
    def forward(self, encoded: Encoded, batch: Batch) -> HeadOutput:
        """Return the scores of all pairs.

        Args:
            encoded: What the encoder made of the batch.
            batch: The batch.

        Returns:
            Logits, column 0 being the threshold.  # [P, 1 + R]
        """


HeadFactory = Callable[[int, int], Head]
"""Makes a head from the width of the encoder and the number of relations."""
