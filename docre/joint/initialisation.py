"""How the parameters of the heads start."""

from __future__ import annotations

from torch import nn


def start_as_bert(module: nn.Module, spread: float = 0.02) -> None:
    """Draw all weights within a module from a normal distribution around 0, and clear its biases.

    Args:
        module: Its linear layers and embeddings are set.
        spread: Standard deviation.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=spread)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
