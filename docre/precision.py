"""Weights in half precision, where Lightning's own plugin does not go with our batches."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from lightning.pytorch.plugins.precision import HalfPrecision
from lightning.pytorch.strategies import Strategy


class HalfWeights(HalfPrecision):
    """Weights and optimizer states in half precision, arithmetic as in mixed precision.

    Lightning's plugin computes everything in the type of the weights, losses too, and takes batches
    apart to convert their numbers. Ours cannot be written to, and hold whole numbers.

    Args:
        precision: ``bf16-true`` or ``16-true``.
        device: Kind of device.
    """

    def __init__(self, precision: Literal["bf16-true", "16-true"], device: str) -> None:
        super().__init__(precision)
        self._device = device

    def convert_input(self, data: Any) -> Any:
        """Leave a batch as it is."""
        return data

    def forward_context(self) -> AbstractContextManager[Any]:  # type: ignore[override]
        """Return a context in which losses and softmax stay in float32."""
        return torch.autocast(self._device, self._desired_input_dtype, cache_enabled=False)


def with_own_half_weights(strategy: Strategy) -> None:
    """Put our plugin in the place of Lightning's, where half precision is asked for."""
    plugin = strategy.precision_plugin
    if type(plugin) is HalfPrecision:
        device = strategy.root_device.type
        strategy.precision_plugin = HalfWeights(plugin.precision, device)
