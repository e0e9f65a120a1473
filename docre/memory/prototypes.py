"""Reading a memory of any size at the price of one slot, exactly.

A read weighs the slots and the two tokens of a pair by a softmax of scores, and the score of a
slot does not depend on the pair. So, for output token i with slot scores l_mi and slots M_m,

    a_i = logsumexp_m l_mi        v_i = sum_m softmax_m(l_mi) M_m
    z_i = softmax([a_i, s_i(head), s_i(tail)]) . [v_i, head, tail]

is the same as the softmax over all slots and tokens. The prototype v_i and its mass a_i are
computed once a step; a pair costs the same with 200 slots and with 200,000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Prototypes(NamedTuple):
    """What a memory looks like to a pair.

    Args:
        vectors: One average of all slots for each output token.  # [2, D]
        masses: The score of that average.  # [2]
    """

    vectors: Tensor
    masses: Tensor


def collapse(memory: Tensor, scores: Tensor) -> Prototypes:
    """Return the prototypes of a memory, in at least float32.

    Args:
        memory: Slots.  # [S, D]
        scores: Score of each slot for each output token.  # [S, 2]
    """
    scores = _wide(scores).T.contiguous()  # [2, S], as sums along rows are the fast ones
    masses = scores.logsumexp(1)  # [2]
    weights = (scores - masses.unsqueeze(1)).exp()
    # autocast would round weights of 1 / S, which float16 cannot hold for a large memory
    with torch.autocast(memory.device.type, enabled=False):
        vectors = weights @ memory.to(weights.dtype)  # [2, D]
    return Prototypes(vectors, masses)


def read_tokens(tokens: Tensor, scores: Tensor, prototypes: Prototypes) -> Tensor:
    """Return the two tokens that each pair reads from the memory and from itself.

    Args:
        tokens: Head and tail of each pair.  # [P, 2, D]
        scores: Score of each of these tokens for each output token.  # [P, 2, 2]
        prototypes: The memory.

    Returns:
        In the type of ``tokens``.  # [P, 2, D]
    """
    masses = prototypes.masses.expand(len(scores), 1, 2)
    weights = torch.cat((masses, _wide(scores)), 1).softmax(1).mT  # [P, 2, 3]
    with torch.autocast(tokens.device.type, enabled=False):
        known = weights[..., :1] * prototypes.vectors.to(weights.dtype)  # [P, 2, D]
        read = torch.baddbmm(known, weights[..., 1:], tokens.to(weights.dtype))
    return read.to(tokens.dtype)


def read_weights(memory_scores: Tensor, token_scores: Tensor) -> Tensor:
    """Return how much each output token takes from each slot, the head and the tail.

    For looking at, as it has one number per pair and slot; reading does not need it.

    Args:
        memory_scores: Score of each slot for each output token.  # [S, 2]
        token_scores: The same for head and tail of each pair.  # [P, 2, 2]

    Returns:
        Weights that sum to one: slots, head, tail.  # [P, 2, S + 2]
    """
    of_slots = memory_scores.expand(len(token_scores), -1, -1)  # [P, S, 2]
    return _wide(torch.cat((of_slots, token_scores), 1)).softmax(1).mT  # [P, 2, S + 2]


def mean_slot_weights(memory_scores: Tensor, token_scores: Tensor) -> Tensor:
    """Return the slots' part of :func:`read_weights` on average over pairs, in closed form.

    A pair decides how much comes from the memory at all; how that is spread over the slots is the
    same for every pair.

    Args:
        memory_scores: Score of each slot for each output token.  # [S, 2]
        token_scores: The same for head and tail of each pair, at least one.  # [P, 2, 2]

    Returns:
        # [2, S]
    """
    scores = _wide(memory_scores).T  # [2, S]
    masses = scores.logsumexp(1).expand(len(token_scores), 1, 2)
    share = torch.cat((masses, _wide(token_scores)), 1).softmax(1)[:, 0].mean(0)  # [2]
    return share.unsqueeze(1) * scores.softmax(1)


def _wide(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


class PrototypeCache:
    """Keeps prototypes while the parameters they come from are what they were.

    A change is seen by identity, version counter, storage, type or autocast state. A write past
    the version counter, as by ``parameter.data.add_(...)`` or a fused optimizer, is not:
    :meth:`clear` has to be called. A copy of the cache, by deepcopy or pickle, is an empty one.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget."""
        # the tensors are held so that no other can take their identity
        self._held: tuple[Tensor, ...] = ()
        self._state: tuple[object, ...] = ()
        self._value: Prototypes | None = None

    def get(self, sources: Sequence[Tensor], compute: Callable[[], Prototypes]) -> Prototypes:
        """Return the prototypes, computed if anything changed in the tensors they come from."""
        if torch.compiler.is_compiling() or any(source.is_inference() for source in sources):
            return compute()  # no version to look at
        device = sources[0].device.type
        autocast = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device)
        state = (
            autocast,
            *((id(s), s._version, s.data_ptr(), s.dtype, s.device) for s in sources),
        )
        if self._value is None or state != self._state:
            self._value = compute()
            self._held, self._state = tuple(sources), state
        return self._value

    def __reduce__(self) -> tuple[type[PrototypeCache], tuple[()]]:
        return type(self), ()
