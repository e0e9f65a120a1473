"""Bring what is made of tensors somewhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

T = TypeVar("T")


def each_tensor(value: T, change: Callable[[Tensor], Tensor]) -> T:
    """Return a dataclass with all its tensors changed, also those of dataclasses inside it."""
    changed: dict[str, Any] = {}
    for field in fields(value):  # type: ignore[arg-type]
        inner = getattr(value, field.name)
        if isinstance(inner, Tensor):
            changed[field.name] = change(inner)
        elif is_dataclass(inner):
            changed[field.name] = each_tensor(inner, change)
    return replace(value, **changed)  # type: ignore[type-var]
