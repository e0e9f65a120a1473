"""Work in parts, so that what exists at a time is bounded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def chunks(sizes: Tensor, budget: int) -> Iterator[slice]:
    """Cut consecutive things into runs of at most so much; one that is more is alone.

    Of nothing there is one empty run, so that whoever works on runs does so at least once.

    Args:
        sizes: How much each is, in host memory.  # [K]
        budget: How much a run may be.

    Raises:
        ValueError: If the budget is not above 0.
    """
    if budget < 1:
        raise ValueError(f"a budget of {budget} is too little for anything")
    ends, start, done = sizes.cumsum(0), 0, 0
    while True:
        stop = int(torch.searchsorted(ends, done + budget, right=True))
        stop = min(max(stop, start + 1), len(sizes))
        yield slice(start, stop)
        if stop == len(sizes):
            return
        start, done = stop, int(ends[stop - 1])
