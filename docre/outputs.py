"""What the rooms of a model hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
class PairContext:
    """Contexts, each shared by the pairs that have the same one.

    A context that does not tell head from tail is the same for a pair and its reverse: whatever
    is linear in it is computed once for both, and gathered afterwards.

    Args:
        states: Distinct contexts.  # [U, D]
        index: Context of each pair; ``None`` if each pair has its own, in order.  # [P]
        attention: Where each context comes from, over the tokens of its document.  # [U, T]
    """

    states: Tensor
    index: Tensor | None = None
    attention: Tensor | None = None

    def per_pair(self, values: Tensor) -> Tensor:
        """Spread values of the distinct contexts over the pairs, [P, ...]."""
        return values if self.index is None else values[self.index]

    def attention_of(self, pairs: Tensor) -> Tensor | None:
        """Return where the contexts of some pairs come from, if that is known, [K, T]."""
        if self.attention is None:
            return None
        return self.attention[pairs if self.index is None else self.index[pairs]]


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
class Targets:
    """What a loss compares with.

    Args:
        labels: 0 and 1; column 0 is 1 exactly where no relation is.  # [P, 1 + R]
    """

    labels: Tensor
