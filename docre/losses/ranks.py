"""Sums over the ranks of a distributed run, with the gradient that DDP expects."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Return the number of ranks; 1 where nothing is distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * world_size()


class _StatisticOverRanks(_SumOverRanks):
    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def sum_over_ranks(values: Tensor) -> Tensor:
    """Add up a tensor over all ranks; every rank has to call it, also one that has no pairs.

    A loss ``G`` made from such sums is the same number on every rank. The gradient of ``G`` for a
    parameter is the *sum* over ranks of each rank's share, but DDP (and FSDP) take the *mean* over
    the ``W`` ranks; so the backward pass multiplies by ``W``. What the optimiser sees is then the
    gradient of one process that has all pairs, however unequally they are spread.

    Args:
        values: The same shape on every rank; left as it is.  # [...]

    Returns:
        The sums, or ``values`` itself where there is one rank only.  # [...]
    """
    if world_size() == 1:
        return values
    total: Tensor = _SumOverRanks.apply(values)  # type: ignore[no-untyped-call]
    return total


def statistic_over_ranks(values: Tensor) -> Tensor:
    """Add up a tensor over all ranks, for use on the way to a loss and not as one.

    Behind :func:`sum_over_ranks` all ranks compute the same; here each goes its own way with the
    sum, such as normalising its own documents by it. So what the ways of all ranks say of the sum
    is added up on the way back: a second collective, for which every rank has to go there.

    Args:
        values: The same shape on every rank; left as it is.  # [...]

    Returns:
        The sums, or ``values`` itself where there is one rank only.  # [...]
    """
    if world_size() == 1:
        return values
    total: Tensor = _StatisticOverRanks.apply(values)  # type: ignore[no-untyped-call]
    return total
