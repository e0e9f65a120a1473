"""In which options runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from docre.flat_options import Value

Options = Mapping[str, Value]


def differing(each: Sequence[Options]) -> list[str]:
    """Return the options in which runs differ, those of a class before its arguments.

    Arguments that only one of two classes has are not listed: their class is. Of settings that only
    some have, each is listed.
    """
    keys = dict.fromkeys(key for options in each for key in options)
    groups = {parent for key in keys for parent in _parents(key)}
    differ = [
        key
        for key in keys
        if len({_known(options, key) for options in each}) > 1
        and not (key in groups and all(options.get(key) is None for options in each))
    ]
    return [
        key
        for key in differ
        if not any(parent in differ for parent in _parents(key)) or _is_argument(each, key)
    ]


def _is_argument(each: Sequence[Options], key: str) -> bool:
    """Say whether an option differs also where the classes above it are the same."""
    seen: dict[tuple[object, ...], object] = {}
    for options in each:
        above = tuple(_known(options, parent) for parent in _parents(key))
        if seen.setdefault(above, _known(options, key)) != _known(options, key):
            return True
    return False


def _known(options: Options, key: str) -> tuple[str, Value] | None:
    # 1, 1.0 and True are three values here; one that is not there is another one than null
    return (type(options[key]).__name__, options[key]) if key in options else None


def _parents(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:size]) for size in range(1, len(parts))]
