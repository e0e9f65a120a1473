"""A memory: learned slots, read by a softmax."""

from __future__ import annotations

import torch
from docre.memory import MemoryReader
from torch import Tensor, nn


class SlotMemory(MemoryReader):
    """Adds to head and tail what each finds in a memory of keys and values.

    Args:
        width: Of head and tail; docre gives it.
        slots: Number of slots.
    """

    def __init__(self, width: int, slots: int = 32) -> None:
        super().__init__(width)
        self.keys = nn.Parameter(torch.randn(slots, width) * width**-0.5)
        self.values = nn.Parameter(torch.randn(slots, width) * width**-0.5)

    def forward(self, head: Tensor, tail: Tensor, pair_doc: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enriched vectors; each pair reads for itself, so documents do not matter."""
        return head + self._read(head), tail + self._read(tail)

    def _read(self, states: Tensor) -> Tensor:
        weights = (states @ self.keys.t()).softmax(1)  # [P, S]
        return weights.to(states.dtype) @ self.values.to(states.dtype)  # [P, D]
