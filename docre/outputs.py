"""What the rooms of a model hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from docre.batch import Batch


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What an encoder makes of a batch.

    Args:
        token_states: Last hidden states.  # [B, T, D]
        mention_attention: Attention from the token of each mention to all tokens of its document,
            after softmax (and dropout, in training).  # [M, H, T]
    """

    token_states: Tensor
    mention_attention: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMaps:
    """Where the contexts of pairs come from, each map kept once for all pairs that share it.

    Args:
        maps: Distinct maps over the tokens of a document; each sums up to 1.  # [U, T]
        index: Map of each pair; ``None`` if each pair has its own, in order.  # [P]
    """

    maps: Tensor
    index: Tensor | None = None

    def of(self, pairs: Tensor) -> Tensor:
        """Return the maps of some pairs, [K, T]."""
        return self.maps[pairs if self.index is None else self.index[pairs]]

    def per_pair(self) -> Tensor:
        """Return the maps of all pairs, [P, T]."""
        return self.maps if self.index is None else self.maps[self.index]


@dataclass(frozen=True, slots=True, eq=False)
class PairContext:
    """Contexts, each shared by the pairs that have the same one.

    A context that does not tell head from tail is the same for a pair and its reverse: whatever
    is linear in it is computed once for both, and gathered afterwards.

    Args:
        states: Distinct contexts.  # [U, D]
        index: Context of each pair; ``None`` if each pair has its own, in order.  # [P]
        attention: Where the contexts come from, if they come from tokens.
    """

    states: Tensor
    index: Tensor | None = None
    attention: AttentionMaps | None = None

    def per_pair(self, values: Tensor) -> Tensor:
        """Spread values of the distinct contexts over the pairs, [P, ...]."""
        return values if self.index is None else values[self.index]

    def of(self, pairs: Tensor) -> PairContext:
        """Return the contexts of some pairs; nothing is copied but the index."""
        attention = self.attention
        if attention is not None:
            index = pairs if attention.index is None else attention.index[pairs]
            attention = AttentionMaps(attention.maps, index)
        index = pairs if self.index is None else self.index[pairs]
        return PairContext(self.states, index, attention)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a classifier may look at beside head and tail.

    Args:
        encoded: What the encoder made of the batch.
        context: Contexts of the pairs that are classified.
        batch: The batch, with just these pairs.
        blank: What extractors make of nothing, for heads and for tails.  # [D], [D]
    """

    encoded: Encoded
    context: PairContext
    batch: Batch
    blank: tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class HeadOutput:
    """What a head makes of encoded documents.

    Args:
        logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        context: Contexts of the pairs, if the head makes any.
    """

    logits: Tensor
    context: PairContext | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TeacherTargets:
    """What a teacher says about the pairs of a batch.

    Args:
        values: Its logits, of all columns or of some.  # [P, k]
        columns: Which columns those are; ``None`` for all, in order.  # [P, k]
        attention: Where its contexts come from.
    """

    values: Tensor | None = None
    columns: Tensor | None = None
    attention: AttentionMaps | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What a loss compares with.

    Args:
        labels: 0 and 1; column 0 is 1 exactly where no relation is.  # [P, 1 + R]
        batch: The batch, for losses that look at its evidence.
        teacher: What a teacher says, for losses that learn from one.
    """

    labels: Tensor
    batch: Batch | None = None
    teacher: TeacherTargets | None = None
