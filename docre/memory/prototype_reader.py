"""What is left of a memory when its slots are taken away: the two vectors that pairs read."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from docre.memory.prototypes import Prototypes
from docre.memory.token_turing import TokenTuringReader


class PrototypeReader(TokenTuringReader):
    """TTM-RE's reader with two free vectors and two free masses in place of all slots.

    However many slots a memory has, a pair sees of them one vector and one number for each of the
    two tokens it reads (:mod:`docre.memory.prototypes`). Here these are learned themselves. If
    this does as well, the slots were a way to write them down.

    Args:
        width: Width of head and tail, ``D``.
        worth: Number of slots whose mass the vectors begin with, each slot scored 0.
        layers: As in :class:`TokenTuringReader`, and so are all others.
        attention_heads: Heads of the transformer.
        feed_forward: Width of its feed-forward layers.
        scorer_features: Hidden width of the network that scores tokens.
        axis: Who attends to whom.
        chunk: Number of pairs in a chunk.
        init: How the vectors start.
        init_std: Standard deviation of ``normal``.
        residual_average: Give out the mean of the processed and the original vectors.

    Example:
        >>> reader = PrototypeReader(16, layers=1)
        >>> reader.prototypes().vectors.shape
        torch.Size([2, 16])
    """

    def __init__(
        self,
        width: int,
        worth: int = 200,
        layers: int = 2,
        attention_heads: int = 8,
        feed_forward: int | None = None,
        scorer_features: int | None = None,
        axis: Literal["slots", "document", "chunks"] = "slots",
        chunk: int = 256,
        init: Literal["xavier", "normal"] = "xavier",
        init_std: float = 0.02,
        residual_average: bool = True,
    ) -> None:
        if worth < 1:
            raise ValueError(f"worth: {worth}, but it is a number of slots")
        super().__init__(
            width,
            slots=2,
            layers=layers,
            attention_heads=attention_heads,
            feed_forward=feed_forward,
            scorer_features=scorer_features,
            axis=axis,
            chunk=chunk,
            init=init,
            init_std=init_std,
            residual_average=residual_average,
        )
        self.masses = nn.Parameter(torch.full((2,), math.log(worth)))

    def prototypes(self) -> Prototypes:
        """Return the two vectors and their masses, as they are."""
        wide = torch.promote_types(self.memory.dtype, torch.float32)
        return Prototypes(self.memory.to(wide), self.masses.to(wide))

    @torch.no_grad()
    def slot_usage(self, head: Tensor, tail: Tensor) -> Tensor:
        """Return how much of each token comes from each vector: only from its own."""
        tokens = torch.stack((head, tail), 1)  # [P, 2, D]
        masses = self.prototypes().masses
        everywhere = torch.cat((masses.expand(len(tokens), 1, 2), self.summarizer(tokens)), 1)
        return everywhere.softmax(1)[:, 0].mean(0).diag()  # [2, 2]
