"""The contract of a classifier: head and tail of each pair in, scores out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """Scores relations from the two entities of each pair.

    Args:
        width: ``D``, of head and tail.
        num_relations: ``R``, without the threshold.
    """

    def __init__(self, width: int, num_relations: int) -> None:
        super().__init__()
        self.width = width
        self.num_relations = num_relations

    @abstractmethod
    def forward(self, head: Tensor, tail: Tensor) -> Tensor:
        """Return logits, column 0 being the threshold.

        Args:
            head: Of each pair.  # [P, D]
            tail: Of each pair.  # [P, D]

        Returns:
            At least float32.  # [P, 1 + R]
        """


ClassifierFactory = Callable[[int, int], Classifier]
