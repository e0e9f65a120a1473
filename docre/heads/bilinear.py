"""Grouped bilinear scores without the wide tensor of products.

Head and tail are cut into groups of ``b`` numbers; a relation's score is the sum over groups of a
bilinear form. Written as one linear layer its input is ``D * b`` wide (49,152 for 768 and 64) for
every pair. Here the products of one group and some pairs exist at a time, and are made again on the
way back.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from docre.heads.classifier import Classifier
from docre.outputs import Scene

# Products alive at a time. On a CPU they should stay in the cache, but with many columns going over
# the weights again and again costs more than that.
_PRODUCTS = {"cpu": 1 << 20, "cuda": 1 << 26}
_FEW_COLUMNS = 128


class _GroupedBilinear(torch.autograd.Function):
    """``out[p, c] = bias[c] + sum_g head[p, g] W[c, g] tail[p, g]``."""

    @staticmethod
    def forward(
        ctx: Any,
        head: Tensor,
        tail: Tensor,
        weight: Tensor,
        bias: Tensor,
        block: int,
        budget: int | None,
    ) -> Tensor:
        ctx.save_for_backward(head, tail, weight)
        ctx.block, ctx.budget, ctx.bias_dtype = block, budget, bias.dtype
        exact = torch.promote_types(head.dtype, torch.float32)
        out = bias.to(exact).repeat(len(head), 1)  # [P, C]
        by_group = weight.t()  # [D * b, C]
        for pairs, numbers, flat in _pieces(head, len(weight), block, budget):
            products = _products(head[pairs, numbers], tail[pairs, numbers])
            if out.dtype == head.dtype:
                out[pairs].addmm_(products, by_group[flat])
            else:  # sums over groups in float32
                out[pairs] += products @ by_group[flat]
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        head, tail, weight = ctx.saved_tensors
        block = ctx.block
        grad = grads[0].to(head.dtype)
        grad_head, grad_tail = torch.empty_like(head), torch.empty_like(tail)
        exact = torch.promote_types(weight.dtype, torch.float32)
        grad_weight = torch.zeros(weight.shape, dtype=exact, device=weight.device)
        for pairs, numbers, flat in _pieces(head, len(weight), block, ctx.budget):
            x, y, g = head[pairs, numbers], tail[pairs, numbers], grad[pairs]
            grad_weight[:, flat] += g.t() @ _products(x, y)
            inner = (g @ weight[:, flat]).unflatten(1, (block, block))  # [p, b, b]
            grad_head[pairs, numbers] = (inner @ y.unsqueeze(2)).squeeze(2)
            grad_tail[pairs, numbers] = (x.unsqueeze(1) @ inner).squeeze(1)
        grad_bias = grads[0].sum(0).to(ctx.bias_dtype)
        return grad_head, grad_tail, grad_weight.to(weight.dtype), grad_bias, None, None


def _products(head: Tensor, tail: Tensor) -> Tensor:
    return (head.unsqueeze(2) * tail.unsqueeze(1)).flatten(1)  # [p, b * b]


def _pieces(
    head: Tensor, columns: int, block: int, budget: int | None
) -> list[tuple[slice, slice, slice]]:
    """Return pairs, numbers of one group, and its rows of the weight."""
    pairs, width = head.shape
    products = _PRODUCTS.get(head.device.type, _PRODUCTS["cuda"])
    if head.device.type == "cpu":
        products *= max(1, columns // _FEW_COLUMNS)
    step = budget or max(1, products // (block * block))
    return [
        (
            slice(start, min(start + step, pairs)),
            slice(first, first + block),
            slice(first * block, (first + block) * block),
        )
        for start in range(0, pairs, step)
        for first in range(0, width, block)
    ]


def grouped_bilinear(
    head: Tensor,
    tail: Tensor,
    weight: Tensor,
    bias: Tensor,
    block_size: int,
    pair_budget: int | None = None,
) -> Tensor:
    """Return one bilinear score a column.

    Args:
        head: Of each pair.  # [P, D]
        tail: Of each pair.  # [P, D]
        weight: Groups outermost, then numbers of the head, then of the tail.  # [C, D * b]
        bias: One a column.  # [C]
        block_size: ``b``, numbers of a group; divides ``D``.
        pair_budget: Pairs whose products exist at a time; left out, what suits the device.

    Returns:
        Scores in at least float32.  # [P, C]
    """
    device = head.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        head, tail, weight = head.to(dtype), tail.to(dtype), weight.to(dtype)
    with torch.autocast(device, enabled=False):
        out: Tensor = cast(Any, _GroupedBilinear).apply(
            head, tail, weight, bias, block_size, pair_budget
        )
    return out


class GroupedBilinear(Classifier):
    """Bilinear scores in groups.

    Args:
        width: ``D``, of head and tail.
        num_relations: ``R``.
        in_features: Not needed.
        block_size: Numbers of a group (not the number of groups).
        learned_threshold: Learn the threshold's score; ``False`` holds it at 0, the form SSR-PU
            calls non-rank.
        pair_budget: Pairs whose products exist at a time, for the balance of memory and speed; left
            out, what suits the device.

    Reference: ATLOP (Zhou et al., 2021), equation 5.
    """

    def __init__(
        self,
        width: int,
        num_relations: int,
        in_features: int | None = None,
        *,
        block_size: int = 64,
        learned_threshold: bool = True,
        pair_budget: int | None = None,
    ) -> None:
        super().__init__(width, num_relations, in_features)
        if block_size < 1 or width % block_size:
            raise ValueError(f"block_size {block_size} does not divide the width {width}")
        if pair_budget is not None and pair_budget < 1:
            raise ValueError(f"pair_budget: {pair_budget} pairs are too few")
        self.block_size, self.pair_budget = block_size, pair_budget
        columns = num_relations + learned_threshold
        self.weight = nn.Parameter(torch.empty(columns, width * block_size))
        self.bias = nn.Parameter(torch.empty(columns))
        # as a linear layer over the products begins
        bound = 1 / math.sqrt(width * block_size)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        self.learned_threshold = learned_threshold

    def forward(self, head: Tensor, tail: Tensor, scene: Scene | None = None) -> Tensor:
        """Return logits; see the base class. Nothing else is looked at."""
        logits = grouped_bilinear(
            head, tail, self.weight, self.bias, self.block_size, self.pair_budget
        )
        return logits if self.learned_threshold else nn.functional.pad(logits, (1, 0))

    def extra_repr(self) -> str:
        """Return the settings, for printing."""
        return (
            f"width={self.width}, num_relations={self.num_relations}, "
            f"block_size={self.block_size}, learned_threshold={self.learned_threshold}"
        )
