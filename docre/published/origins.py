"""Where each parameter of ours is in published weights, and what has to be done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor


def as_it_is(value: Tensor) -> Tensor:
    """Return a tensor unchanged."""
    return value


@dataclass(frozen=True, slots=True)
class Origin:
    """The published parameters that one of ours is made of.

    Args:
        names: Theirs, in the order ``make`` takes them in.
        make: Makes ours of them.
    """

    names: tuple[str, ...]
    make: Callable[..., Tensor] = as_it_is


OriginOf = Callable[[str], Origin]


def by_prefix(table: Mapping[str, str], make: Callable[..., Tensor] = as_it_is) -> OriginOf:
    """Return what finds origins by what names begin with.

    Args:
        table: What our names begin with, and what stands there in theirs. The longest one counts.
        make: Makes ours of theirs.

    Example:
        >>> by_prefix({"head.": "", "head.classifier.": "bilinear."})("head.classifier.bias").names
        ('bilinear.bias',)
    """
    longest_first = sorted(table, key=len, reverse=True)

    def origin(name: str) -> Origin:
        for ours in longest_first:
            if name.startswith(ours):
                return Origin((table[ours] + name.removeprefix(ours),), make)
        raise KeyError(f"{name} is in no published weights")

    return origin


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """What was found in published weights.

    Args:
        weights: Under our names.
        missing: Their names of what is not there.
        left: Their names that nothing was made of.
    """

    weights: dict[str, Tensor]
    missing: tuple[str, ...]
    left: tuple[str, ...]


def collect(
    names: Iterable[str], origin_of: OriginOf, published: Mapping[str, Tensor]
) -> Collected:
    """Make our parameters of published ones.

    Args:
        names: Ours.
        origin_of: Says where each is.
        published: Weights under their names.
    """
    weights: dict[str, Tensor] = {}
    missing: dict[str, None] = {}
    used: set[str] = set()
    for name in names:
        origin = origin_of(name)
        used.update(origin.names)
        absent = [one for one in origin.names if one not in published]
        missing.update(dict.fromkeys(absent))
        if not absent:
            weights[name] = origin.make(*(published[one] for one in origin.names))
    left = tuple(name for name in published if name not in used)
    return Collected(weights, tuple(missing), left)


def ours_of(names: Iterable[str], origin_of: OriginOf) -> dict[str, str]:
    """Return our name of each published parameter that alone makes one of ours."""
    origins = ((name, origin_of(name)) for name in names)
    return {origin.names[0]: name for name, origin in origins if len(origin.names) == 1}
