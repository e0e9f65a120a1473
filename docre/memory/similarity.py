"""Memories whose slots stand for classes, and how alike a vector and a slot are.

Nothing writes into such a memory but the gradient: a vector is classified by its similarity to the
slots of each class, so learning to classify moves the slots to what they stand for. Elsewhere a
model reads from the same slots (:mod:`docre.memory.similarity_reads`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.losses.base import at_least_float32


class SimilarityMemory(nn.Module):
    """Slots of some classes, those of a class in consecutive rows.

    There is no row for "no class". The rows are plain parameters and decay like others.

    Args:
        classes: Number of classes, ``C``: entity types, or relations.
        features: Width of a slot.
        slots: Slots a class; the published system has one.
        std: Standard deviation of the first values.

    Reference: similarity-memory JEREX, released code.
    """

    def __init__(self, classes: int, features: int, slots: int = 1, std: float = 0.02) -> None:
        super().__init__()
        if classes < 1 or slots < 1:
            name, value = ("classes", classes) if classes < 1 else ("slots", slots)
            raise ValueError(f"{name}: {value}, but a memory needs at least one")
        self.classes = classes
        self.features = features
        self.matrix = nn.Parameter(torch.empty(classes * slots, features))  # [S, D]
        nn.init.normal_(self.matrix, std=std)

    @property
    def slots(self) -> int:
        """Slots a class."""
        return self.matrix.shape[0] // self.classes

    def lookup(self, index: Tensor) -> Tensor:
        """Return the vectors of some classes, without a way back for the gradient.

        A class is the mean of its slots. The relation head takes entity types from here.

        Args:
            index: Classes, counted from 0.  # [...]

        Returns:
            # [..., D]
        """
        rows = self.matrix.detach().view(self.classes, self.slots, self.features)
        return rows.mean(1)[index]

    def of_classes(self, scores: Tensor) -> Tensor:
        """Turn scores of slots into scores of classes.

        A class has the logarithm of the mean of ``exp`` over its slots: a smooth maximum that is
        the score itself for one slot, and does not grow because there are more of them.

        Args:
            scores: Similarity to each slot.  # [..., S]

        Returns:
            At least float32.  # [..., C]
        """
        scores = at_least_float32(scores)
        of_class = scores.reshape(*scores.shape[:-1], self.classes, self.slots)  # [..., C, k]
        return of_class.logsumexp(-1) - math.log(self.slots)

    def extra_repr(self) -> str:
        """Say what is not seen from the parts."""
        return f"classes={self.classes}, features={self.features}, slots={self.slots}"


class Similarity(nn.Module, ABC):
    """How alike vectors and slots are.

    Args:
        features: Width of a vector, ``D``.
        slot_features: Width of a slot; that of the vector if left out.
    """

    def __init__(self, features: int, slot_features: int | None = None) -> None:
        super().__init__()
        self.features = features
        self.slot_features = features if slot_features is None else slot_features

    @abstractmethod
    def forward(self, states: Tensor, matrix: Tensor) -> Tensor:
        """Return the similarity of each vector to each slot.

        Args:
            states: Vectors.  # [..., D]
            matrix: Slots.  # [S, slot_features]

        Returns:
            # [..., S]
        """


SimilarityFactory = Callable[[int, int], Similarity]
"""Makes a similarity from the width of vectors and that of slots."""


class BilinearSimilarity(Similarity):
    """``x^T W^T M_i``, without a bias; the published one.

    ``M W`` is made first: slots are few, and vectors need not be taken to the width of a slot. The
    factors show only in that product, so a memory narrower than its number of slots restricts what
    can be told apart, and a wider one restricts nothing.

    Args:
        features: Width of a vector, ``D``.
        slot_features: Width of a slot; that of the vector if left out.
        std: Standard deviation of the first values of ``W``.
    """

    def __init__(self, features: int, slot_features: int | None = None, std: float = 0.02) -> None:
        super().__init__(features, slot_features)
        self.weight = nn.Parameter(torch.empty(self.slot_features, features))
        nn.init.normal_(self.weight, std=std)

    def forward(self, states: Tensor, matrix: Tensor) -> Tensor:
        """Return the similarities; see the base class."""
        return functional.linear(states, matrix @ self.weight)


class DotProductSimilarity(Similarity):
    """``x^T M_i``. Vectors and slots have the same width."""

    def __init__(self, features: int, slot_features: int | None = None) -> None:
        super().__init__(features, slot_features)
        _same_width(self)

    def forward(self, states: Tensor, matrix: Tensor) -> Tensor:
        """Return the similarities; see the base class."""
        return functional.linear(states, matrix)


class CosineSimilarity(Similarity):
    """The cosine of the angle between ``x`` and ``M_i``, times a number; 0 where one is zero.

    Args:
        features: Width of a vector, ``D``.
        slot_features: Width of a slot, the same.
        scale: What the cosine is multiplied with. With 1 a sigmoid never leaves 0.27 to 0.73.
    """

    def __init__(self, features: int, slot_features: int | None = None, scale: float = 1.0) -> None:
        super().__init__(features, slot_features)
        _same_width(self)
        self.scale = scale

    def forward(self, states: Tensor, matrix: Tensor) -> Tensor:
        """Return the similarities; see the base class."""
        return self.scale * functional.linear(_unit(states), _unit(matrix))


def _same_width(similarity: Similarity) -> None:
    if similarity.features != similarity.slot_features:
        widths = f"{similarity.features} and {similarity.slot_features}"
        raise ValueError(f"slot_features: vectors and slots have widths {widths}; W is missing")


def _unit(vectors: Tensor) -> Tensor:
    """Scale vectors to length 1 in at least float32; zero stays zero, with a finite gradient."""
    vectors = at_least_float32(vectors)
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / torch.where(length > 0, length, 1)


class SimilarityClassifier(nn.Module):
    """Scores classes by the similarity of a vector to their slots. No bias, no hidden layer.

    Softmax makes entity types of the scores, the sigmoid relations. The memory is an argument, for
    it belongs to the model: others read from it.

    Args:
        features: Width of a vector, ``D``.
        slot_features: Width of a slot; that of the vector if left out.
        similarity: Compares vectors and slots.

    Example:
        >>> types = SimilarityMemory(classes=6, features=32)
        >>> classify = SimilarityClassifier(16, 32)
        >>> classify(torch.randn(3, 16), types).shape
        torch.Size([3, 6])
    """

    def __init__(
        self,
        features: int,
        slot_features: int | None = None,
        similarity: SimilarityFactory = BilinearSimilarity,
    ) -> None:
        super().__init__()
        self.similarity = similarity(features, features if slot_features is None else slot_features)

    def forward(self, states: Tensor, memory: SimilarityMemory) -> Tensor:
        """Return logits.

        Args:
            states: Vectors to classify.  # [N, D]
            memory: Slots of the classes.

        Returns:
            At least float32.  # [N, C]
        """
        return memory.of_classes(self.similarity(states, memory.matrix))
