"""Batch normalisation of cells that are spread over the ranks of a distributed run."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from docre.losses.base import at_least_float32
from docre.losses.ranks import statistic_over_ranks, world_size


def normalise(norm: _BatchNorm, cells: Tensor) -> Tensor:
    """Apply batch normalisation with the statistics of the cells of all ranks.

    On several ranks it is that of one process with all cells, forwards and backwards, on any
    device, whether the module was made a ``SyncBatchNorm`` or not. A single cell has no variance:
    it is normalised with the running statistics, which stay as they are.

    Args:
        norm: Its weights and running statistics.
        cells: Of this rank; there may be none, but in training every rank has to call.  # [C, D]

    Returns:
        ``[C, D]``
    """
    if norm.training and world_size() > 1:
        return _over_ranks(norm, cells)
    if len(cells) < 2:
        return nn.functional.batch_norm(
            cells, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
    result: Tensor = norm(cells)
    return result


def _over_ranks(norm: _BatchNorm, cells: Tensor) -> Tensor:
    known_mean, known_variance = norm.running_mean, norm.running_var
    assert known_mean is not None
    assert known_variance is not None
    assert norm.momentum is not None
    assert norm.num_batches_tracked is not None
    values = at_least_float32(cells)
    own = values.new_full((1,), len(values))
    sums = statistic_over_ranks(torch.cat([values.sum(0), own]))  # [D + 1]
    count = sums[-1]
    mean = sums[:-1] / count.clamp(min=1)
    # in a second round, as the square of the mean subtracted from that of cells loses digits
    squares = statistic_over_ranks((values - mean).square().sum(0))
    enough = count > 1  # asked on the device: nobody waits
    with torch.no_grad():
        share = norm.momentum * enough.to(known_mean.dtype)
        known_mean.lerp_(mean.to(known_mean.dtype), share)
        unbiased = squares / (count - 1).clamp(min=1)
        known_variance.lerp_(unbiased.to(known_variance.dtype), share)
        norm.num_batches_tracked += enough
    mean = torch.where(enough, mean, known_mean)
    variance = torch.where(enough, squares / count.clamp(min=1), known_variance)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return torch.addcmul(norm.bias, values - mean, scale).to(cells.dtype)  # [C, D]
