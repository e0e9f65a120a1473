"""From logits to triples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


def above_threshold(logits: Tensor, top_k: int = 0) -> Tensor:
    """Say which relations score higher than the threshold of their pair.

    A relation is predicted if its logit is *above* column 0 and is not below the ``top_k``-th
    largest of all columns, column 0 among them: with ``top_k`` 4 a pair has at most 4 relations,
    but for ties at the fourth place, which are all kept. A logit that is not a number is never
    predicted and takes no place; a threshold that is none lets nothing through.

    Args:
        logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        top_k: Most relations of a pair; 0 or less for no cap.

    Returns:
        Mask, without column 0.  # [P, R]
    """
    return _above(logits, logits[:, :1], top_k)


def above_zero(logits: Tensor, top_k: int = 0) -> Tensor:
    """Say which relations score higher than 0.

    As :func:`above_threshold`, with the constant 0 as threshold. Column 0 is an ordinary class,
    "no relation": it competes for a place among the ``top_k``, and has no other say.

    Args:
        logits: Scores.  # [P, 1 + R]
        top_k: Most classes of a pair; 0 or less for no cap.

    Returns:
        Mask, without column 0.  # [P, R]
    """
    return _above(logits, logits.new_zeros(()), top_k)


def _above(logits: Tensor, threshold: Tensor, top_k: int) -> Tensor:
    predicted = logits[:, 1:] > threshold  # [P, R]
    if not 0 < top_k < logits.shape[1]:
        return predicted
    ranked = logits.masked_fill(logits.isnan(), -torch.inf)
    last = ranked.topk(top_k, dim=1).values[:, -1:]  # [P, 1]
    return predicted & (logits[:, 1:] >= last)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The triples of a batch, sorted by pair, then relation.

    Args:
        pair: Pair of each triple, counted over the batch.  # [K]
        relation: Its relation, counted from 0; the logits' column is one more.  # [K]
        score: Its logit, in at least float32.  # [K]
        margin: How far the logit is above the threshold.  # [K]
    """

    pair: Tensor
    relation: Tensor
    score: Tensor
    margin: Tensor

    def __len__(self) -> int:
        return self.pair.shape[0]


@dataclass(frozen=True, slots=True)
class PairThresholds:
    """What moves the thresholds of all pairs.

    Args:
        shift: How much higher they are than training has them.
    """

    shift: float


class Decoder(ABC):
    """Base of all decoders.

    Args:
        top_k: Most relations of a pair, ties aside; 0 or less for no cap.
        shift: How much higher the threshold of every pair is than training has it.
    """

    def __init__(self, top_k: int = 0, shift: float = 0.0) -> None:
        self.top_k = top_k
        self.shift = shift

    @abstractmethod
    def mask(self, logits: Tensor) -> Tensor:
        """Return which relations are predicted, as a mask [P, R]."""

    @abstractmethod
    def threshold(self, logits: Tensor) -> Tensor:
        """Return what the logits of each pair have to exceed, [P]."""

    def decode(self, logits: Tensor) -> Decoded:
        """Return the predicted triples.

        Args:
            logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        """
        pair, relation = self.mask(logits).nonzero(as_tuple=True)  # [K]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        score = logits[pair, relation + 1]
        return Decoded(pair, relation, score, score - self.threshold(logits)[pair])

    def __repr__(self) -> str:
        shift = f", shift={self.shift}" if self.shift else ""
        return f"{type(self).__name__}(top_k={self.top_k}{shift})"


class ThresholdDecoder(Decoder):
    """Relations above the threshold of their pair: for every loss that trains column 0 as one.

    Args:
        top_k: Most relations of a pair, the threshold counted among them; 0 or less for no cap.
            Published: 4 on DocRED and 1 on CDR and GDA with adaptive thresholding, none with
            positive-unlabelled risks.
        shift: How much higher the threshold of every pair is than the model has it; below 0, more
            is predicted. ``docre tune`` finds it.
    """

    def mask(self, logits: Tensor) -> Tensor:
        """Return which relations are predicted, as a mask [P, R]."""
        if self.shift:
            logits = torch.cat((logits[:, :1] + self.shift, logits[:, 1:]), dim=1)
        return above_threshold(logits, self.top_k)

    def threshold(self, logits: Tensor) -> Tensor:
        """Return column 0, shifted, [P]."""
        return logits[:, 0] + self.shift


class ZeroDecoder(Decoder):
    """Relations above 0: for balanced softmax.

    Args:
        top_k: Most classes of a pair, "no relation" counted among them; 0 or less for no cap.
        shift: How much higher than 0 the threshold is; below 0, more is predicted. ``docre tune``
            finds it.
    """

    def mask(self, logits: Tensor) -> Tensor:
        """Return which relations are predicted, as a mask [P, R]."""
        return _above(logits, logits.new_full((), self.shift), self.top_k)

    def threshold(self, logits: Tensor) -> Tensor:
        """Return the shift, [P]."""
        return logits.new_full(logits.shape[:1], self.shift)
