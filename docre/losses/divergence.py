"""How far the attention behind contexts is from where it should be."""

from __future__ import annotations

import torch
from torch import Tensor

from docre.losses.base import at_least_float32
from docre.outputs import AttentionMaps, HeadOutput

_FLOOR = 1e-30


def context_attention(output: HeadOutput) -> AttentionMaps:
    """Return where the contexts of a head's pairs come from.

    Raises:
        ValueError: If the head does not say, as its contexts come from something else.
    """
    context = output.context
    if context is None or context.attention is None:
        raise ValueError(
            "this head's context does not come from tokens, so it has no attention to compare: "
            "choose a head with a localized context, or leave this loss out"
        )
    return context.attention


def divergence(target: Tensor, found: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of each row, ``sum t (log t - log p)``.

    The rows need not sum up to 1. What is below 1e-30 in ``found`` counts as 1e-30 and gets no
    gradient: a finite penalty, as published, where a target is on something unseen.

    Args:
        target: ``t``, at least 0.  # [N, S]
        found: ``p``, at least 0.  # [N, S]

    Returns:
        At least float32.  # [N]
    """
    target, found = at_least_float32(target), at_least_float32(found)
    logs = found.clamp(min=_FLOOR).log()
    return (torch.xlogy(target, target) - target * logs).sum(1)  # [N]
