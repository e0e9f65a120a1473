"""Where numbers stop being finite in a pass through a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from docre.losses.base import LossParts
from docre.outputs import HeadOutput


class FiniteWatch:
    """Watches a model from here to :meth:`close`, or as a context.

    Args:
        model: The model.

    Attributes:
        module: Name of the first module, in the order in which they end, whose output is not
            finite. One inside another ends first.
        parameter: Name of the first parameter, in the order of the backward pass, whose gradient
            is not finite.
        parts: The terms of the last loss.
        bad_pairs: Which pairs have a score that is not finite; ``None`` without a head of pairs.
    """

    def __init__(self, model: nn.Module) -> None:
        self.module: str | None = None
        self.parameter: str | None = None
        self.parts: LossParts | None = None
        self.bad_pairs: Tensor | None = None
        self._hooks = ExitStack()
        for name, module in model.named_modules():
            self._until_closed(module.register_forward_hook(self._after(name or "the model")))
        for name, value in model.named_parameters():
            if value.requires_grad:
                watch = self._after_gradient(name)
                hook = value.register_post_accumulate_grad_hook(watch)  # type: ignore[no-untyped-call]
                self._until_closed(hook)

    def __enter__(self) -> FiniteWatch:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Look no longer."""
        self._hooks.close()

    def _until_closed(self, handle: Any) -> None:
        self._hooks.callback(handle.remove)

    def _after(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, LossParts):
                self.parts = output
            if isinstance(output, HeadOutput):
                self.bad_pairs = ~output.logits.detach().isfinite().all(1)  # [P]
            if self.module is None and not is_finite(output):
                self.module = name

        return look

    def _after_gradient(self, name: str) -> Callable[[Tensor], None]:
        def look(parameter: Tensor) -> None:
            if self.parameter is None and not is_finite(parameter.grad):
                self.parameter = name

        return look


@torch.no_grad()
def is_finite(value: Any) -> bool:
    """Say whether all numbers are finite, in tensors and whatever holds tensors."""
    return all(bool(tensor.isfinite().all()) for tensor in _floats(value))


def _floats(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _floats(inner)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _floats(getattr(value, field.name))
