"""Checks that say what a piece must do, and the tensors of whatever a piece is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

Given = TypeVar("Given")


def must(condition: bool, what: str) -> None:
    """Fail with a message unless a condition holds."""
    __tracebackhide__ = True  # pytest then shows the message and not this line
    if not condition:
        raise AssertionError(what)


def must_equal(found: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    """Fail with a message and the largest difference unless two tensors are equal.

    Args:
        found: One.
        expected: The other.
        tolerance: Largest difference, absolute or relative to the largest number.
        what: What is to be said.
    """
    __tracebackhide__ = True
    shapes = f"{tuple(found.shape)} and {tuple(expected.shape)}"
    must(found.shape == expected.shape, f"{what} (shapes {shapes})")
    if not found.numel():
        return
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    must(bool(found.isfinite().all()), f"{what} (there are numbers that are not finite)")
    largest = float((found - expected).abs().max())
    allowed = tolerance * max(1.0, float(expected.abs().max()))
    must(largest <= allowed, f"{what} (largest difference {largest:.2g})")


def tensors_in(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors within tensors, tuples and data classes, with where they are."""
    if isinstance(value, Tensor):
        yield name, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors_in(getattr(value, field.name), f"{name}.{field.name}".strip("."))
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from tensors_in(part, name or str(place))


def with_tensors(value: Given, change: Callable[[Tensor], Tensor]) -> Given:
    """Return tensors, tuples and data classes with all tensors changed."""
    given: Any = value
    if isinstance(given, Tensor):
        given = change(given)
    elif is_dataclass(given) and not isinstance(given, type):
        parts = {field.name: getattr(given, field.name) for field in fields(given)}
        given = replace(given, **{name: with_tensors(part, change) for name, part in parts.items()})
    elif type(given) is tuple:  # named ones are counts
        given = tuple(with_tensors(part, change) for part in given)
    changed: Given = given
    return changed


def in_dtype(value: Given, dtype: torch.dtype) -> Given:
    """Return tensors, tuples and data classes with all floats in a data type."""
    return with_tensors(value, lambda t: t.to(dtype) if t.is_floating_point() else t)
