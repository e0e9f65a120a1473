"""Batches as plain values, which a file can hold that is read without unpickling."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from docre.batch import Batch, Sizes
from docre.joint.batch import JointBatch
from docre.joint.mention_pairs import Gaps, MentionPairs
from docre.joint.samples import JointSample, JointTruth
from docre.joint.spans import Spans

# All that a batch is made of: a file does not choose what is made of it.
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (Batch, Gaps, JointBatch, JointSample, JointTruth, MentionPairs, Sizes, Spans)
}
_ARRAY = "array"


def to_plain(value: Any) -> Any:
    """Return a batch, or a part of one, as dictionaries, tuples and tensors in host memory.

    Raises:
        TypeError: If it is, or has in it, something that is no part of our batches.
    """
    name = type(value).__name__
    if _KINDS.get(name) is type(value):
        return {"kind": name, "fields": {f: to_plain(getattr(value, f)) for f in _names(value)}}
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()  # not the memory that it may be a small piece of
    if isinstance(value, np.ndarray):
        return {"kind": _ARRAY, "fields": {"values": torch.from_numpy(value.copy())}}
    if type(value) is tuple:
        return tuple(to_plain(one) for one in value)
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{name} is no part of a batch of docre")


def from_plain(value: Any) -> Any:
    """Return what :func:`to_plain` was given.

    Raises:
        ValueError: If these are the values of something else.
    """
    if isinstance(value, tuple):
        return tuple(from_plain(one) for one in value)
    if not isinstance(value, dict):
        return value
    try:
        kind, inner = (
            value["kind"],
            {name: from_plain(one) for name, one in value["fields"].items()},
        )
        return inner["values"].numpy() if kind == _ARRAY else _KINDS[kind](**inner)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are not the values of a batch: {error}") from error


def _names(value: Any) -> tuple[str, ...]:
    if is_dataclass(value):
        return tuple(field.name for field in fields(value))
    return tuple(value._fields)
