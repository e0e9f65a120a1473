"""What a configuration may name under ``class_path``: classes, and functions that make something.

The parser holds classes against the type that is expected. A function that is named with arguments
it calls, whatever it is for; so one has to say, by its annotation, that it makes a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import getmro
from typing import Any, get_type_hints

from docre.errors import DocreError

# Where what a part can be is defined, or derived from.
_PARTS = ("docre.", "torch.", "lightning.")


def check_makers(config: Any, place: str = "") -> None:
    """Refuse functions that do not say that they make a part.

    Args:
        config: Parsed, as plain values: everything in it can be imported.
        place: Where it stands.

    Raises:
        DocreError: With the key.
    """
    for key, path in _named(config, place):
        module, _, name = path.rpartition(".")
        found = getattr(import_module(module), name, None) if module else None
        if callable(found) and not isinstance(found, type) and not _makes_part(found):
            raise DocreError(
                f"{key}: {path} is a function that does not say what it makes: a class is wanted, "
                "or a function whose return annotation is one"
            )


def _named(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        path = value.get("class_path")
        if isinstance(path, str):
            yield f"{place}.class_path".removeprefix("."), path
        for name, inner in value.items():
            yield from _named(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _named(inner, f"{place}[{number}]")


def _makes_part(function: Any) -> bool:
    try:
        made = get_type_hints(function).get("return")
    except Exception:  # a builtin, or names that mean nothing
        return False
    return isinstance(made, type) and any(
        f"{one.__module__}.".startswith(_PARTS) for one in getmro(made)
    )
