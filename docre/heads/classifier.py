"""The contract of a classifier: head and tail of each pair in, scores out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from docre.outputs import Scene


class Classifier(nn.Module, ABC):
    """Scores relations from the two entities of each pair, and from what is around them.

    Args:
        width: ``D``, of head and tail.
        num_relations: ``R``, without the threshold.
        in_features: Width of the token states, for those that look at tokens again.

    Attributes:
        needs_grid: Whether it wants all entities against all, themselves included, row by row,
            whichever the pairs of the batch are. The head then drops what was not asked for.
    """

    needs_grid: bool = False

    def __init__(self, width: int, num_relations: int, in_features: int | None = None) -> None:
        super().__init__()
        self.width = width
        self.num_relations = num_relations
        self.in_features = width if in_features is None else in_features

    @abstractmethod
    def forward(self, head: Tensor, tail: Tensor, scene: Scene) -> Tensor:
        """Return logits, column 0 being the threshold.

        Args:
            head: Of each pair.  # [P, D]
            tail: Of each pair.  # [P, D]
            scene: Tokens, contexts and the batch.

        Returns:
            At least float32.  # [P, 1 + R]
        """


ClassifierFactory = Callable[[int, int, int], Classifier]
"""Makes a classifier from the width of pairs, the number of relations and the width of tokens."""
