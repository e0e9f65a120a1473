"""Attention with dropout on a CPU, without keeping whole maps for the backward pass.

PyTorch's fused attention has no dropout on a CPU: it falls back to keeping two maps of a layer in
full. Here the maps of a few heads exist at a time, the backward pass makes them again, and only
which weights were dropped is kept, in a byte each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor

# Attention weights that exist at a time; they should stay near the processor.
_WEIGHTS = 1 << 21


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
        windows, heads, length = query.shape[:3]
        kept = torch.empty(windows, heads, length, key.shape[2], dtype=torch.bool)
        kept.bernoulli_(1 - dropout)
        out = torch.empty_like(query)
        for part in _parts(query, key):
            weights = _weights(query[part], key[part], _of(mask, part), scaling)
            dropped = weights * kept[part] / (1 - dropout)
            out[part] = dropped.to(value.dtype) @ value[part]
        ctx.save_for_backward(query, key, value, mask, kept)
        ctx.dropout, ctx.scaling = dropout, scaling
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, mask, kept = ctx.saved_tensors
        grad_query, grad_key = torch.empty_like(query), torch.empty_like(key)
        grad_value = torch.empty_like(value)
        for part in _parts(query, key):
            q, k, v, grad = query[part], key[part], value[part], grads[0][part]
            weights = _weights(q, k, _of(mask, part), ctx.scaling)
            factor = kept[part] / (1 - ctx.dropout)
            grad_value[part] = (weights * factor).to(v.dtype).mT @ grad
            inner = (grad @ v.mT) * factor  # what reaches the weights
            inner = weights * (inner - (inner * weights).sum(-1, keepdim=True)) * ctx.scaling
            inner = inner.to(q.dtype)
            grad_query[part] = inner @ k
            grad_key[part] = inner.mT @ q
        return grad_query, grad_key, grad_value, None, None, None


def _weights(query: Tensor, key: Tensor, mask: Tensor | None, scaling: float) -> Tensor:
    scores = (query @ key.mT).to(torch.promote_types(query.dtype, torch.float32)) * scaling
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
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
