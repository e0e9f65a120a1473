"""Sizes of a model, read off the shapes of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from docre.errors import DocreError


def rows(weights: Mapping[str, Tensor], name: str) -> int:
    """Return the first size of a parameter.

    Raises:
        DocreError: If it is not there.
    """
    return _size(weights, name, 0)


def columns(weights: Mapping[str, Tensor], name: str) -> int:
    """Return the second size of a parameter.

    Raises:
        DocreError: If it is not there, or has one size only.
    """
    return _size(weights, name, 1)


def layers(weights: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many layers there are, whose names begin with ``prefix`` and a number.

    Raises:
        DocreError: If there are none, or one between others is missing.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    found = {int(match.group(1)) for name in weights if (match := pattern.match(name))}
    if not found:
        raise DocreError(f"there is no {prefix}0")
    absent = set(range(max(found))) - found
    if absent:
        raise DocreError(f"there is no {prefix}{min(absent)}, but a {prefix}{max(found)}")
    return len(found)


def block_size(weights: Mapping[str, Tensor], name: str, width: int) -> int:
    """Return the numbers of a group, from the weight of a layer over grouped products.

    Args:
        weights: Published.
        name: Of the weight, [columns, width * block size].
        width: Of head and tail.

    Raises:
        DocreError: If the sizes do not go together.
    """
    products = columns(weights, name)
    size = products // width
    if size * width != products or width % max(size, 1) or not size:
        raise DocreError(
            f"{name} is over {products} products, which are no groups of a width of {width}"
        )
    return size


def _size(weights: Mapping[str, Tensor], name: str, axis: int) -> int:
    if name not in weights:
        raise DocreError(f"there is no {name}")
    shape = weights[name].shape
    if len(shape) <= axis:
        raise DocreError(f"{name} is of shape {list(shape)}, and has no {axis + 1} sizes")
    return int(shape[axis])
