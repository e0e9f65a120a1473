"""What of a model's arguments goes into its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

_PLAIN = (str, int, float, bool, type(None))


def drop_objects(arguments: MutableMapping[str, Any]) -> None:
    """Leave plain values alone: a checkpoint must be readable without unpickling.

    Args:
        arguments: Of a model; those that were passed as objects in Python are taken out.
    """
    for name in [name for name, value in arguments.items() if not _is_plain(value)]:
        arguments.pop(name)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(inner) for inner in value)
    return isinstance(value, _PLAIN)
