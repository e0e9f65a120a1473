"""Where and when a model reads from similarity memories: levels, warm-up, the pair systems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from docre.memory.base import MemoryReader
from docre.memory.similarity import BilinearSimilarity, SimilarityFactory
from docre.memory.similarity_reads import DocumentInputs, MemoryRead, merge_reads, normal_weights


class ReadSwitch:
    """Something that reads, and can be told not to; :func:`switch_reads` finds it.

    Attributes:
        reading: Whether it reads. No part of the state dict: a loaded model reads.
    """

    reading: bool = True


def switch_reads(model: nn.Module, on: bool) -> None:
    """Turn all reads of a model on or off, as a training loop does at the end of the warm-up."""
    for part in model.modules():
        if isinstance(part, ReadSwitch):
            part.reading = on


def read_warmup_steps(proportion: float, total_steps: int) -> int:
    """Return the number of the first update that reads.

    Before it memories are only written, that is, learned through their classifiers. An epoch that
    ends before it should not be chosen as the best one: later, it would be read from.

    Args:
        proportion: Share of all updates if a float, their number if an ``int``.
        total_steps: Updates of the whole training.

    Example:
        >>> [read_warmup_steps(share, total_steps=9) for share in (0.4, 1.0, 1)]
        [3, 9, 1]
    """
    share = not isinstance(proportion, int)
    if proportion < 0 or (share and proportion > 1):
        raise ValueError(
            f"proportion: {proportion} is no share of the updates, nor a number of them"
        )
    return int(total_steps * proportion) if share else int(proportion)


class ReadingLevel(ReadSwitch, nn.Module):
    """One place of a model where documents read from memories: tokens, or mentions.

    The published system has an :class:`InverseRead` after the encoder and one after span pooling.
    While ``reading`` is false the states come back as they are, not divided by anything, and the
    parameters get zeros as gradients, so that data-parallel training goes on.

    Args:
        reads: One after another; the published order is inverse, then normal.
        read_gradient: Whether memories also learn from being read. The reads always do.

    Example:
        >>> from docre.memory.similarity_reads import InverseRead, PaddedInputs
        >>> tokens = ReadingLevel([InverseRead(8, [8, 8])])
        >>> states, types, relations = torch.randn(1, 5, 8), torch.randn(3, 8), torch.randn(4, 8)
        >>> tokens(states, [types, relations], PaddedInputs(torch.ones(1, 5, dtype=bool))).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, reads: Sequence[MemoryRead], read_gradient: bool = True) -> None:
        super().__init__()
        self.reads = nn.ModuleList(reads)
        self.read_gradient = read_gradient

    def forward(self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs) -> Tensor:
        """Return the inputs after all reads.

        Args:
            states: Inputs.  # [..., D]
            matrices: The slots of each memory, in the order in which the reads were told of them.
                # [S, slot_features]
            inputs: Which inputs are one document.

        Returns:
            # [..., D]
        """
        if not self.reading:
            return _unread(states, self.parameters())
        if not self.read_gradient:
            matrices = [matrix.detach() for matrix in matrices]
        states = inputs.clean(states)
        for read in self.reads:
            states = read(states, matrices, inputs)
        return states


class SimilarityReader(ReadSwitch, MemoryReader):
    """Lets head and tail of a pair read from learned slots.

    The normal read of the similarity memory, merged linearly and added: for ``x`` the head or the
    tail, ``x + W [x; softmax(similarity(x, M)) M] + b``. ``W`` begins with zeros for ``x`` and with
    small numbers for the read, so that training starts within a percent or so of the system
    without memory, and still every parameter has a gradient. The ends of a pair read with the same
    parameters, each for itself. The inverse read has no place here, for its softmax runs over all
    inputs of a document, and a pair would depend on which others are asked for.

    In a pair system no classifier writes to the slots; they learn from being read alone.

    Args:
        width: Width of head and tail, ``D``.
        slots: Number of slots, at least two: a read from one slot is the same for all pairs.
        slot_features: Width of a slot; that of the pair if left out.
        similarity: Compares vectors and slots.
        init_std: Standard deviation of the first values of slots and of ``W`` for the read.

    Example:
        >>> reader = SimilarityReader(16, slots=5)
        >>> head, tail = torch.randn(2, 3, 16)
        >>> [vector.shape for vector in reader(head, tail, torch.tensor([0, 0, 1]))]
        [torch.Size([3, 16]), torch.Size([3, 16])]
    """

    def __init__(
        self,
        width: int,
        slots: int = 100,
        slot_features: int | None = None,
        similarity: SimilarityFactory = BilinearSimilarity,
        init_std: float = 0.02,
    ) -> None:
        super().__init__(width)
        if slots < 2:
            raise ValueError(f"slots: {slots}, but there is nothing to choose among fewer than two")
        slot_features = width if slot_features is None else slot_features
        self.memory = nn.Parameter(torch.empty(slots, slot_features))
        self.similarity = similarity(width, slot_features)
        self.merge = nn.Linear(width + slot_features, width)
        nn.init.normal_(self.memory, std=init_std)
        nn.init.normal_(self.merge.weight, std=init_std)
        nn.init.zeros_(self.merge.weight[:, :width])
        nn.init.zeros_(self.merge.bias)

    def forward(self, head: Tensor, tail: Tensor, pair_doc: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enriched vectors; see the base class."""
        ends = torch.stack((head, tail))  # [2, P, D]
        if self.reading:
            weights = normal_weights(self.similarity(ends, self.memory))  # [2, P, S]
            ends = ends + merge_reads(self.merge, ends, [weights], [self.memory])
        else:
            ends = _unread(ends, self.parameters())
        new_head, new_tail = ends.unbind()
        return new_head, new_tail

    def slot_vectors(self) -> Tensor:
        """Return the slots; see the base class."""
        return self.memory.detach()

    @torch.no_grad()
    def slot_usage(self, head: Tensor, tail: Tensor) -> Tensor:
        """Return how heads and how tails weigh the slots; see the base class."""
        ends = torch.stack((head, tail))  # [2, P, D]
        return normal_weights(self.similarity(ends, self.memory)).mean(1)  # [2, S]

    def extra_repr(self) -> str:
        """Say what is not seen from the parts."""
        slots, features = self.memory.shape
        return f"width={self.width}, slots={slots}, slot_features={features}"


def _unread(states: Tensor, parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the states, and let the parameters have a part in them that is zero."""
    for parameter in parameters:
        states = states + 0 * parameter.flatten()[:1].sum()
    return states
