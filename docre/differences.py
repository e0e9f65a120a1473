"""What is other in a checkpoint than in a model, said in a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

_SHOWN = 3
_THERE, _HERE = "the checkpoint", "this model"


def differing_names(
    theirs: Sequence[str], ours: Sequence[str], there: str = _THERE, here: str = _HERE
) -> str:
    """Say which names are on one side alone, or where the order begins to be another.

    Args:
        theirs: One list.
        ours: The other one; they are not equal.
        there: What ``theirs`` is of.
        here: What ``ours`` is of.
    """
    sides = ((there, theirs, set(ours)), (here, ours, set(theirs)))
    alone = [(who, [name for name in names if name not in other]) for who, names, other in sides]
    said = [f"only in {who}: {_some(map(repr, names))}" for who, names in alone if names]
    if said:
        return "; ".join(said)
    place = next(
        (n for n, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]),
        min(len(theirs), len(ours)),
    )
    first = [f"{(*names, None)[place]!r} in {who}" for who, names, _ in sides]
    return f"in another order: number {place} is {' and '.join(first)}"


def differing_weights(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], there: str = _THERE, here: str = _HERE
) -> str:
    """Say which parts are on one side alone and which have another shape; empty if none.

    A part is named by the beginning of its weights' names that the other side does not have.

    Args:
        theirs: Weights by name.
        ours: Likewise.
        there: What ``theirs`` is of.
        here: What ``ours`` is of.
    """
    said = []
    for who, names, other in ((there, theirs, ours), (here, ours, theirs)):
        parts = _parts_alone(names, other)
        if parts:
            said.append(f"only in {who}: {_some(parts)}")
    shapes = [
        f"{name} is {_shape(theirs[name])}, {_shape(ours[name])} in {here}"
        for name in theirs
        if name in ours and theirs[name].shape != ours[name].shape
    ]
    if shapes:
        said.append(f"of another size in {there}: {_some(shapes, 1)}")
    return "; ".join(said)


def _parts_alone(names: Iterable[str], other: Iterable[str]) -> list[str]:
    """Return the parts that have a weight here and none there, in the order of the weights."""
    known = {start for name in other for start in _starts(name)}
    alone = (next((start for start in _starts(name) if start not in known), None) for name in names)
    return list(dict.fromkeys(part for part in alone if part is not None))


def _starts(name: str) -> list[str]:
    """Return the beginnings of a dotted name, the shortest first and itself last."""
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words) + 1)]


def _shape(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "a single number"


def _some(names: Iterable[str], shown: int = _SHOWN) -> str:
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return f"{', '.join(listed[:shown])}{more}"
