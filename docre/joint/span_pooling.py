"""The element-wise maximum of the token states of spans, by a table of maxima over powers of two.

Level ``k`` of the table has, for every token, the maximum of the ``2 ** k`` states from there on.
A span of any length is the union of two such runs, one at its start and one at its end, so each
costs two rows of the table and no mask over all tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _SpanMax(torch.autograd.Function):
    """Keeps one bit of truth for each comparison: where the gradient goes on its way down."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, left: Tensor, right: Tensor, levels: int) -> Tensor:
        documents, tokens, width = states.shape
        ctx.shape, ctx.levels = states.shape, levels
        keeps = ctx.needs_input_grad[0]
        rows = levels * documents * tokens
        flat = states.new_empty(rows + 1, width)
        flat[rows] = 0  # what spans without a token read
        table = flat[:rows].view(levels, documents, tokens, width)
        table[0] = states
        choices = []
        for level in range(1, levels):
            first, second = _halves(table[level - 1], level)
            torch.maximum(first, second, out=table[level][:, : first.shape[1]])
            if keeps:
                choices.append(first >= second)
        at_start, at_end = flat.index_select(0, left), flat.index_select(0, right)  # [N, D]
        if keeps:
            ctx.save_for_backward(left, right, at_start >= at_end, *choices)
        return torch.maximum(at_start, at_end, out=at_start)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = gradients
        left, right, from_start, *choices = ctx.saved_tensors
        documents, tokens, width = ctx.shape
        rows = ctx.levels * documents * tokens
        # many spans share a token: their sum is made in at least float32
        wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
        flat = wide.new_zeros(rows + 1, width)
        flat.index_add_(0, left, torch.where(from_start, wide, 0))
        flat.index_add_(0, right, torch.where(from_start, 0, wide))
        table = flat[:rows].view(ctx.levels, documents, tokens, width)
        for level in range(ctx.levels - 1, 0, -1):
            first, second = _halves(table[level - 1], level)
            above, choice = table[level][:, : first.shape[1]], choices[level - 1]
            first += torch.where(choice, above, 0)
            second += torch.where(choice, 0, above)
        # a copy, for a view would keep the whole table
        return table[0].to(gradient.dtype, copy=True), None, None, None


def _halves(below: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Return both halves of the runs of a level, from the level below it."""
    half = 2 ** (level - 1)
    runs = max(below.shape[1] - 2 * half + 1, 0)
    return below[:, :runs], below[:, half : half + runs]


def span_max(
    token_states: Tensor,
    document: Tensor,
    start: Tensor,
    end: Tensor,
    longest: int | None = None,
) -> Tensor:
    """Return the element-wise maximum over the tokens of each span.

    The result is bit-equal to ``token_states[d, start:end].max(0)``, and so is where its gradient
    goes: of several tokens with the same maximum, all of it to the first one. The gradient is
    summed in at least float32.

    Args:
        token_states: # [B, T, D]
        document: Row each span is in.  # [N]
        start: First token of the span.  # [N]
        end: One past the last; a span with ``end <= start`` has no token.  # [N]
        longest: A number that no span is longer than; it bounds the depth of the table. Left out,
            it is read from spans in host memory, and is ``T`` for those on another device.

    Returns:
        Zero for a span without a token.  # [N, D]

    Raises:
        ValueError: If spans in host memory leave their row or are longer than ``longest``. On
            another device nobody looks, for the host would have to wait.
    """
    documents, tokens, _ = token_states.shape
    length = (end - start).clamp(min=0)
    if length.device.type == "cpu" and len(length):
        found = int(length.max())
        _check(document, start, end, documents, tokens)
        if longest is not None and found > longest:
            raise ValueError(f"a span has {found} tokens, and longest is {longest}")
        longest = found
    levels = max(1, min(tokens if longest is None else longest, tokens).bit_length())
    level = torch.frexp(length.clamp(min=1).float()).exponent.long() - 1
    left = (level * documents + document) * tokens + start
    right = left + length - torch.ones_like(level).bitwise_left_shift(level)
    none, zero_row = length == 0, levels * documents * tokens
    left, right = left.masked_fill(none, zero_row), right.masked_fill(none, zero_row)
    pooled: Tensor = _SpanMax.apply(token_states, left, right, levels)  # type: ignore[no-untyped-call]
    return pooled  # [N, D]


def _check(document: Tensor, start: Tensor, end: Tensor, documents: int, tokens: int) -> None:
    real = end > start
    wrong = real & ((start < 0) | (end > tokens) | (document < 0) | (document >= documents))
    if bool(wrong.any()):
        index = int(wrong.nonzero()[0])
        where = f"[{int(start[index])}, {int(end[index])}) of row {int(document[index])}"
        raise ValueError(f"span {index}, {where}, is outside {documents} rows of {tokens} tokens")
