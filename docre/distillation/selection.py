"""Which logits of a pair are kept, and in which order pairs are."""

from __future__ import annotations

import torch
from torch import Tensor

from docre.batch import Batch


def strongest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the threshold and the highest of the other logits of each pair, in that order.

    Args:
        logits: Column 0 is the threshold.  # [P, 1 + R]
        count: ``k``, how many to return, the threshold's among them.

    Returns:
        The logits and their columns.  # [P, k], [P, k]

    Raises:
        ValueError: If there are fewer than ``count``, or no more than the threshold is asked for.
    """
    if not 2 <= count <= logits.shape[1]:
        raise ValueError(f"2 to {logits.shape[1]} logits of a pair can be kept, not {count}")
    values, columns = logits[:, 1:].topk(count - 1, dim=1)  # [P, k - 1]
    threshold = torch.zeros_like(columns[:, :1])  # [P, 1]
    return torch.cat([logits[:, :1], values], 1), torch.cat([threshold, columns + 1], 1)


def row_major(batch: Batch) -> Tensor:
    """Return the pairs of a batch by document, head and tail, whatever order they are in, [P]."""
    return torch.argsort(batch.pair_head * batch.num_entities + batch.pair_tail, stable=True)


def places(order: Tensor) -> Tensor:
    """Return where each element is in an order that lists all of them once, [P]."""
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
