"""Attention with dropout on a CPU, without keeping whole maps for the backward pass.

PyTorch's fused attention has no dropout on a CPU: it falls back to keeping two maps of a layer in
full. Here the maps of a few heads exist at a time, the backward pass makes them again, and only
which weights were dropped is kept, in a byte each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor

# Attention weights that exist at a time; they should stay in a cache of the processor.
_WEIGHTS = 1 << 18
# Numbers that decide over a weight have 16 bits.
_LEVELS = 1 << 16


class _DropoutAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        dropout: float,
        scaling: float,
    ) -> Tensor:
        # factors go to what is small
        query, value = query * scaling, value / (1 - dropped_share(dropout))
        kept = torch.empty(*query.shape[:3], key.shape[2], dtype=torch.bool)
        out = torch.empty_like(query)
        for part in _parts(query, key):
            weights = _weights(query[part], key[part], _of(mask, part))
            kept[part] = draw_kept(weights.shape, dropout)
            weights.mul_(kept[part].to(weights.dtype))
            out[part] = weights.to(value.dtype) @ value[part]
        ctx.save_for_backward(query, key, value, mask, kept, out)
        ctx.dropout, ctx.scaling = dropout, scaling
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mask, kept, out = ctx.saved_tensors
        grad_query, grad_key = torch.empty_like(query), torch.empty_like(key)
        grad_value = torch.empty_like(value)
        # for each row, the sum over weights times what reaches them
        total = (grads[0] * out).sum(-1, keepdim=True)
        for part in _parts(query, key):
            q, k, grad = query[part], key[part], grads[0][part]
            weights = _weights(q, k, _of(mask, part))
            factor = kept[part].to(weights.dtype)
            inner = (grad @ value[part].mT).to(weights.dtype)  # what reaches the weights
            inner = inner.mul_(factor).sub_(total[part]).mul_(weights).to(q.dtype)
            grad_value[part] = weights.mul_(factor).to(q.dtype).mT @ grad
            grad_query[part] = inner @ k
            grad_key[part] = inner.mT @ q
        grad_query *= ctx.scaling
        grad_value /= 1 - dropped_share(ctx.dropout)
        return grad_query, grad_key, grad_value, None, None, None


def dropped_share(dropout: float) -> float:
    """Return the probability nearest to ``dropout`` that 16 bits can draw."""
    return round(dropout * _LEVELS) / _LEVELS


def draw_kept(shape: Sequence[int], dropout: float) -> Tensor:
    """Draw which weights are kept, several times as fast as one Bernoulli number for each.

    Args:
        shape: That of the weights.
        dropout: Probability that a weight is dropped.
    """
    count = math.prod(shape)
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    lowest = round(dropout * _LEVELS) - _LEVELS // 2
    return (words.view(torch.int16)[:count] >= lowest).view(*shape)


def _weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    scores = (query @ key.mT).to(torch.promote_types(query.dtype, torch.float32))
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores.add_(mask)
    return scores.softmax(-1)


def _of(mask: Tensor | None, part: tuple[int, slice]) -> Tensor | None:
    """Return the mask of a window; it is the same for all heads, and may be for all windows."""
    return None if mask is None else mask[part[0] if len(mask) > 1 else 0]


def _parts(query: Tensor, key: Tensor) -> Iterator[tuple[int, slice]]:
    """Yield a window and some of its heads."""
    windows, heads, length = query.shape[:3]
    step = max(1, _WEIGHTS // max(1, length * key.shape[2]))
    for window in range(windows):
        for first in range(0, heads, step):
            yield window, slice(first, first + step)


def dropout_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scaling: float
) -> Tensor:
    """Return ``dropout(softmax(query key^T scaling + mask)) value``.

    Args:
        query: ``[N, H, L, d]``.
        key: ``[N, H, L, d]``.
        value: ``[N, H, L, d]``.
        mask: True where a token may look, or numbers to add; ``[N, 1, L, L]``, or 1 for any size.
        dropout: Probability that a weight is dropped.
        scaling: Factor of the scores.

    Returns:
        ``[N, H, L, d]``.
    """
    made: Tensor = cast(Any, _DropoutAttention).apply(query, key, value, mask, dropout, scaling)
    return made
