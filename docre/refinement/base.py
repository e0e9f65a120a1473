"""The contract of a refinement: features of pairs in, better features of the same pairs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from docre.outputs import Scene


class Refinement(nn.Module, ABC):
    """Works on the features of pairs, between their projection and the classes.

    Args:
        width: ``F``, of a pair's features, before and after.
        in_features: Width of the token states.

    Attributes:
        needs_grid: Whether it wants all entities against all, themselves included, row by row.
        needs_blank: Whether it wants to know the features of an empty cell.
    """

    needs_grid: bool = False
    needs_blank: bool = False

    def __init__(self, width: int, in_features: int) -> None:
        super().__init__()
        self.width = width
        self.in_features = in_features

    @abstractmethod
    def forward(self, features: Tensor, scene: Scene, blank: Tensor | None = None) -> Tensor:
        """Return the refined features.

        Args:
            features: Of each pair.  # [P, F]
            scene: Tokens, contexts and the batch.
            blank: What the projection makes of an empty cell, whichever refinements come before,
                if it is needed.  # [F]

        Returns:
            # [P, F]
        """


RefinementFactory = Callable[[int, int], Refinement]
"""Makes a refinement from the width of features and that of tokens."""
