"""Reading from similarity memories: at the tokens of a document, at its mentions.

Two ways to read, and what follows from their formulas:

* **Inverse.** Each slot spreads a mass of 1 over the inputs of a document, by a softmax over them;
  an input is multiplied by what it gets. Nothing of a slot comes into an input but that number, so
  the read is a scalar gate. Gates of ``S`` slots over ``N`` inputs add up to ``S``: after the mean
  with the input itself, the factor is ``(1 + S_1 / N + S_2 / N) / 3`` on average. It shrinks
  vectors two to three times at the moment reading begins, and more in long documents, and more
  where all spans are candidates (inference) than where a sample is (training). The normalisation
  ``count`` is ours and makes the average 1 everywhere.
* **Normal.** Each input attends to the slots and takes their weighted sum. Slots and their products
  with any matrix after the read fold into ``S`` keys and ``S`` values. With one slot the read is
  that slot, whatever the input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from docre.losses.base import at_least_float32
from docre.memory.similarity import BilinearSimilarity, SimilarityFactory
from docre.pooling import segment_softmax


class DocumentInputs(Protocol):
    """Which rows are the inputs of which document."""

    def clean(self, states: Tensor) -> Tensor:
        """Return the states with zero where there is no input, [..., D]."""

    def softmax(self, scores: Tensor) -> Tensor:
        """Return weights over the inputs of a document, in at least float32, [..., S]."""

    def count(self) -> Tensor:
        """Return the number of inputs of the document a row belongs to; broadcasts to [...]."""


@dataclass(frozen=True, slots=True, eq=False)
class PaddedInputs:
    """Documents in rows, filled up: tokens.

    In a document of nothing but padding the weights are the same everywhere, as published.

    Args:
        mask: True at inputs.  # [B, N]
    """

    mask: Tensor

    def clean(self, states: Tensor) -> Tensor:
        """Return the states with zero at padding, which may hold anything, [B, N, D]."""
        return states.masked_fill(~self.mask.unsqueeze(-1), 0)

    def softmax(self, scores: Tensor) -> Tensor:
        """Return weights over each row, none of them at padding, [B, N, S]."""
        scores = at_least_float32(scores)
        lowest = torch.finfo(scores.dtype).min
        return scores.masked_fill(~self.mask.unsqueeze(-1), lowest).softmax(1)

    def count(self) -> Tensor:
        """Return the number of inputs in each row, [B, 1]."""
        return self.mask.sum(1, keepdim=True)


@dataclass(frozen=True, slots=True, eq=False)
class FlatInputs:
    """Documents one after another, nothing filled up: mentions.

    Args:
        document: Document of each input.  # [N]
        documents: Number of documents.
    """

    document: Tensor
    documents: int

    def clean(self, states: Tensor) -> Tensor:
        """Return the states; all of them are inputs."""
        return states

    def softmax(self, scores: Tensor) -> Tensor:
        """Return weights over the inputs of each document, [N, S]."""
        return segment_softmax(scores, self.document, self.documents)

    def count(self) -> Tensor:
        """Return how many inputs the document of each input has, [N]."""
        # not bincount: on a GPU it makes the host wait
        sizes = self.document.new_zeros(self.documents)
        return sizes.index_add(0, self.document, torch.ones_like(self.document))[self.document]


def inverse_gate(scores: Tensor, inputs: DocumentInputs) -> Tensor:
    """Return what each input gets from all slots; over a document it adds up to their number.

    Args:
        scores: Similarity of inputs and slots.  # [..., S]
        inputs: Which inputs are one document.

    Returns:
        At least float32.  # [...]
    """
    return inputs.softmax(scores).sum(-1)


def normal_weights(scores: Tensor) -> Tensor:
    """Return how an input weighs the slots, in at least float32, [..., S]."""
    return at_least_float32(scores).softmax(-1)


def merge_reads(
    layer: nn.Linear, states: Tensor, weights: Iterable[Tensor], matrices: Sequence[Tensor]
) -> Tensor:
    """Return ``W [x; read of the first memory; read of the second; ...] + b``.

    ``W`` is applied to the slots before they are spread over the inputs, and nothing is joined.

    Args:
        layer: ``W`` and ``b``.
        states: Inputs, ``x``.  # [..., D]
        weights: How inputs weigh the slots of each memory.  # [..., S]
        matrices: The slots of each memory.  # [S, slot_features]

    Returns:
        # [..., D]
    """
    widths = [states.shape[-1], *(matrix.shape[1] for matrix in matrices)]
    of_states, *of_reads = torch.split(layer.weight, widths, dim=1)
    merged = nn.functional.linear(states, of_states, layer.bias)
    for weight, matrix, part in zip(weights, matrices, of_reads, strict=True):
        values = matrix @ part.T  # [S, D]
        merged = merged + weight.to(values.dtype) @ values
    return merged


class MemoryRead(nn.Module, ABC):
    """Changes the inputs of documents by what memories say about them.

    Args:
        features: Width of an input, ``D``.
        slot_features: Width of the slots of each memory that is read.
        similarity: Compares inputs and slots; each memory has its own.
    """

    def __init__(
        self,
        features: int,
        slot_features: Sequence[int],
        similarity: SimilarityFactory = BilinearSimilarity,
    ) -> None:
        super().__init__()
        self.similarities = nn.ModuleList(similarity(features, width) for width in slot_features)

    def scores(self, states: Tensor, matrices: Sequence[Tensor]) -> list[Tensor]:
        """Return the similarity of the inputs to the slots of each memory, [..., S]."""
        pairs = zip(self.similarities, matrices, strict=True)
        return [similarity(states, matrix) for similarity, matrix in pairs]

    @abstractmethod
    def forward(self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs) -> Tensor:
        """Return the changed inputs.

        Args:
            states: Inputs, zero at padding as :meth:`DocumentInputs.clean` makes them.  # [..., D]
            matrices: The slots of each memory.  # [S, slot_features]
            inputs: Which inputs are one document.

        Returns:
            In the shape and type of ``states``.  # [..., D]
        """

    @torch.no_grad()
    def slot_usage(
        self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs
    ) -> list[Tensor]:
        """Return a number for each slot of each memory, for somebody to look at, [S].

        What it says is up to the read, documents counting the same; empty if it says nothing.
        """
        return []


class InverseRead(MemoryRead):
    """``x (1 + a_1 + a_2 + ...) / (1 + number of memories)``, the mean of input and gated inputs.

    Without a memory it is the input.

    Args:
        features: Width of an input, ``D``.
        slot_features: Width of the slots of each memory that is read.
        similarity: Compares inputs and slots; each memory has its own.
        gate_norm: ``published`` leaves gates as they are. ``count`` multiplies them by inputs per
            slot, ``N / S``, so that they are 1 on average and neither scale nor the number of
            candidates matters; this is ours.
    """

    def __init__(
        self,
        features: int,
        slot_features: Sequence[int],
        similarity: SimilarityFactory = BilinearSimilarity,
        gate_norm: Literal["published", "count"] = "published",
    ) -> None:
        super().__init__(features, slot_features, similarity)
        if gate_norm not in ("published", "count"):
            raise ValueError(f"gate_norm: {gate_norm!r} is neither 'published' nor 'count'")
        self.gate_norm = gate_norm

    def gates(
        self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs
    ) -> list[Tensor]:
        """Return the gates ``a_k`` of each memory, [...]."""
        scores = self.scores(states, matrices)
        gates = [inverse_gate(of_slots, inputs) for of_slots in scores]
        if self.gate_norm == "published":
            return gates
        pairs = zip(gates, matrices, strict=True)
        return [gate * inputs.count() / len(matrix) for gate, matrix in pairs]

    def forward(self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs) -> Tensor:
        """Return the gated inputs; see the base class."""
        gates = self.gates(states, matrices, inputs)
        if not gates:
            return states
        factor = (1 + torch.stack(gates).sum(0)) / (1 + len(gates))
        return states * factor.unsqueeze(-1).to(states.dtype)

    @torch.no_grad()
    def slot_usage(
        self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs
    ) -> list[Tensor]:
        """Return how much of what a slot spreads over a document falls on one input.

        Every slot spreads the same; this is the sum of the squares of its weights, 1 where a single
        input gets all and 1 / N where N inputs get the same.
        """
        even = _even(states, inputs)
        spread = (inputs.softmax(scores) for scores in self.scores(states, matrices))
        return [_over_inputs(weights.square()) / even.sum() for weights in spread]


class NormalRead(MemoryRead):
    """``W [x; read_1; read_2; ...] + b`` with ``read_k = softmax(similarity(x, M_k)) M_k``.

    The published code can do this with two memories only; here any number goes.

    Args:
        features: Width of an input, ``D``.
        slot_features: Width of the slots of each memory that is read.
        similarity: Compares inputs and slots; each memory has its own.
    """

    def __init__(
        self,
        features: int,
        slot_features: Sequence[int],
        similarity: SimilarityFactory = BilinearSimilarity,
    ) -> None:
        super().__init__(features, slot_features, similarity)
        self.merge = nn.Linear(features + sum(slot_features), features)
        nn.init.normal_(self.merge.weight, std=0.02)
        nn.init.zeros_(self.merge.bias)

    def forward(self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs) -> Tensor:
        """Return inputs merged with what they read; see the base class."""
        weights = map(normal_weights, self.scores(states, matrices))
        return merge_reads(self.merge, states, weights, matrices)

    @torch.no_grad()
    def slot_usage(
        self, states: Tensor, matrices: Sequence[Tensor], inputs: DocumentInputs
    ) -> list[Tensor]:
        """Return how inputs weigh the slots of each memory on average; that adds up to 1."""
        even = _even(states, inputs)
        taken = map(normal_weights, self.scores(states, matrices))
        return [_over_inputs(even * weights) / even.sum() for weights in taken]


def _even(states: Tensor, inputs: DocumentInputs) -> Tensor:
    """Return weights that are the same for all inputs of a document and add up to 1, [..., 1]."""
    return inputs.softmax(torch.zeros_like(states[..., :1]))


def _over_inputs(values: Tensor) -> Tensor:
    """Sum over everything but the slots, [S]."""
    return values.flatten(0, -2).sum(0)
