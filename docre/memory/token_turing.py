"""The Token Turing reader of TTM-RE."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from docre.memory.base import MemoryReader
from docre.memory.pair_transformer import PairTransformer
from docre.memory.perceptron import TokenScorer
from docre.memory.prototypes import (
    PrototypeCache,
    Prototypes,
    collapse,
    mean_slot_weights,
    read_tokens,
)


class TokenTuringReader(MemoryReader):
    """Lets head and tail of a pair be rewritten from a learned memory.

    Two tokens are read from the memory and the pair, weighed by a softmax over all of them, and
    processed by a transformer. The read is in closed form (:mod:`docre.memory.prototypes`), so a
    pair costs the same whatever the number of slots. In evaluation without gradients the memory is
    scored once and remembered while its parameters do not change.

    What the paper says and the released code does differ; the defaults are the paper's attention
    and the code's average with the original vectors. ``memory``, ``summarizer`` and ``processor``
    can be frozen by these names.

    Args:
        width: Width of head and tail, ``D``.
        slots: Number of memory slots, ``S``.
        layers: Number of transformer layers; 0 gives out the tokens as they were read.
        attention_heads: Heads of the transformer; must divide the width.
        feed_forward: Width of its feed-forward layers; that of the pair if left out.
        scorer_features: Hidden width of the network that scores tokens; as above.
        axis: Who attends to whom. ``slots``: the two tokens of a pair, so that a pair's result
            depends on nothing else (the paper). ``document``: heads of all pairs of a document,
            and tails likewise. ``chunks``: the same among ``chunk`` consecutive pairs of the
            batch, as released; results then depend on the batch and on the order of pairs.
        chunk: Number of pairs in a chunk.
        positions: Add a learned position to each slot and to head and tail before reading, as the
            paper and the first Token Turing Machine have it; the released code has none.
        init: How the memory starts: ``xavier`` (uniform, as released) or ``normal`` (the paper).
        init_std: Standard deviation of ``normal``.
        residual_average: Give out the mean of the processed and the original vectors, as released.

    Reference: TTM-RE (Gao et al., 2024), section 3.2; released code, ``ttm.py``, ``model2.py``.

    Example:
        >>> reader = TokenTuringReader(16, slots=5)
        >>> head, tail = torch.randn(2, 3, 16)
        >>> [vector.shape for vector in reader(head, tail, torch.tensor([0, 0, 1]))]
        [torch.Size([3, 16]), torch.Size([3, 16])]
    """

    def __init__(
        self,
        width: int,
        slots: int = 200,
        layers: int = 2,
        attention_heads: int = 8,
        feed_forward: int | None = None,
        scorer_features: int | None = None,
        axis: Literal["slots", "document", "chunks"] = "slots",
        chunk: int = 256,
        positions: bool = False,
        init: Literal["xavier", "normal"] = "xavier",
        init_std: float = 0.02,
        residual_average: bool = True,
    ) -> None:
        super().__init__(width)
        if slots < 1:
            raise ValueError(f"slots: {slots}, but a memory needs at least one; leave it out")
        if layers < 0:
            raise ValueError(f"layers: {layers} is negative")
        if attention_heads < 1 or width % attention_heads:
            raise ValueError(f"attention_heads: {attention_heads} does not divide width {width}")
        if axis not in ("slots", "document", "chunks"):
            raise ValueError(f"axis: {axis!r} is none of 'slots', 'document', 'chunks'")
        if init not in ("xavier", "normal"):
            raise ValueError(f"init: {init!r} is neither 'xavier' nor 'normal'")
        if chunk < 1:
            raise ValueError(f"chunk: {chunk} pairs are too few")
        if axis == "chunks":
            message = "axis: with 'chunks' results depend on the batch and on the order of pairs"
            warnings.warn(message, stacklevel=2)
        self.axis = axis
        self.chunk = chunk
        self.residual_average = residual_average
        self.memory = nn.Parameter(torch.empty(slots, width))
        self.positions = nn.Parameter(torch.empty(slots + 2, width)) if positions else None
        self.summarizer = TokenScorer(width, 2, scorer_features or width)
        self.processor = PairTransformer(width, layers, attention_heads, feed_forward or width)
        self._cache = PrototypeCache()
        if init == "xavier":
            nn.init.xavier_uniform_(self.memory)
        else:
            nn.init.normal_(self.memory, std=init_std)
        if self.positions is not None:
            nn.init.normal_(self.positions, std=0.02)

    def forward(self, head: Tensor, tail: Tensor, pair_doc: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enriched vectors; see the base class."""
        tokens = torch.stack((head, tail), 1)  # [P, 2, D]
        placed = tokens if self.positions is None else tokens + self.positions[-2:]
        read = read_tokens(placed, self.summarizer(placed), self.prototypes())
        processed = self.processor(read, self._groups(pair_doc))
        if self.residual_average:
            processed = (processed + tokens) / 2
        new_head, new_tail = processed.unbind(1)
        return new_head, new_tail

    def slot_vectors(self) -> Tensor:
        """Return the slots; see the base class."""
        return self.memory.detach()

    @torch.no_grad()
    def slot_usage(self, head: Tensor, tail: Tensor) -> Tensor:
        """Return how much of each of the two tokens comes from each slot; see the base class."""
        tokens = torch.stack((head, tail), 1)  # [P, 2, D]
        placed = tokens if self.positions is None else tokens + self.positions[-2:]
        return mean_slot_weights(self.summarizer(self._placed_memory()), self.summarizer(placed))

    def prototypes(self) -> Prototypes:
        """Return what pairs see of the memory."""
        if self.training or torch.is_grad_enabled():
            self._cache.clear()  # fused optimizers may follow, which leave no trace
            return self._collapse()
        placed = [] if self.positions is None else [self.positions]
        return self._cache.get(
            [self.memory, *placed, *self.summarizer.parameters()], self._collapse
        )

    def _collapse(self) -> Prototypes:
        memory = self._placed_memory()
        return collapse(memory, self.summarizer(memory))

    def _placed_memory(self) -> Tensor:
        return self.memory if self.positions is None else self.memory + self.positions[:-2]

    def _groups(self, pair_doc: Tensor) -> list[int] | None:
        """Return how many consecutive pairs attend to one another."""
        if self.axis == "slots":
            return None
        if self.axis == "document":
            return document_lengths(pair_doc)
        full, rest = divmod(len(pair_doc), self.chunk)
        return [self.chunk] * full + [rest] * (rest > 0)

    def train(self, mode: bool = True) -> Self:
        """Change the mode, and forget the prototypes."""
        self._cache.clear()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._cache.clear()
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return moved

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any
    ) -> None:
        self._cache.clear()
        super()._load_from_state_dict(state_dict, *args, **kwargs)

    def extra_repr(self) -> str:
        """Say what is not seen from the parts."""
        slots, width = self.memory.shape
        return f"width={width}, slots={slots}, axis={self.axis!r}"


def document_lengths(pair_doc: Tensor) -> list[int]:
    """Return the number of pairs of each document that has any.

    Raises:
        ValueError: If the pairs of a document do not stand together.
    """
    runs = torch.unique_consecutive(pair_doc, return_counts=True)
    documents, lengths = torch.stack(runs).tolist()  # one transfer from the device
    if any(this >= following for this, following in pairwise(documents)):
        raise ValueError("pair_doc: the documents of pairs are not in ascending order")
    counted: list[int] = lengths
    return counted
