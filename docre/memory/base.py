"""The contract of a memory: what all pairs of the training data can say about one pair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn


class MemoryReader(nn.Module, ABC):
    """Enriches the two vectors of a pair with what a memory knows.

    A model asks a factory for a reader of the width of its pairs. In YAML the factory is the class
    path with all arguments but the width, so the width is the first and only positional argument,
    and everything else is a keyword with a default. All parameters must take part in every
    forward pass, or plain data-parallel training stops.

    Args:
        width: Size of a head and of a tail vector, ``D``.

    Example:
        A whole reader of one's own:

        >>> import torch
        >>> class MeanSlotReader(MemoryReader):
        ...     def __init__(self, width: int, slots: int = 8) -> None:
        ...         super().__init__(width)
        ...         self.memory = nn.Parameter(torch.randn(slots, width))
        ...
        ...     def forward(self, head, tail, pair_doc):
        ...         known = self.memory.mean(0)  # [D]
        ...         return head + known, tail + known
        >>> reader = MeanSlotReader(4)
        >>> head, tail = reader(torch.zeros(3, 4), torch.zeros(3, 4), torch.tensor([0, 0, 1]))
        >>> head.shape
        torch.Size([3, 4])

        and in YAML ``class_path: mypkg.MeanSlotReader`` with ``init_args: {slots: 16}``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, head: Tensor, tail: Tensor, pair_doc: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enriched vectors, in the shape of those given.

        Args:
            head: Head of each pair.  # [P, D]
            tail: Tail of each pair.  # [P, D]
            pair_doc: Document of each pair, int64 and ascending: the pairs of a document stand
                together. There may be no pair at all.  # [P]
        """

    def slot_vectors(self) -> Tensor | None:
        """Return the slots for somebody to look at, [S, D]; ``None`` if there are none to show."""
        return None

    def slot_usage(self, head: Tensor, tail: Tensor) -> Tensor | None:
        """Return how much is read from each slot, on average over pairs, for somebody to look at.

        Args:
            head: Head of each pair, at least one.  # [P, D]
            tail: Tail of each pair.  # [P, D]

        Returns:
            One row a read; what its weights lack to 1 comes from the pair. ``None`` if this memory
            does not say.  # [K, S]
        """
        return None


MemoryFactory = Callable[[int], MemoryReader]
"""Makes a memory from the width of pairs."""
