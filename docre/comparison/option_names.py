"""Options as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from docre.comparison.differing import Options
from docre.flat_options import Value


def short_names(keys: Iterable[str], among: Iterable[str]) -> dict[str, str]:
    """Return for each option the shortest end of its name that no other option has."""
    every = [key.split(".") for key in among]
    short = {}
    for key in keys:
        parts = key.split(".")
        for size in range(1, len(parts) + 1):
            end = parts[-size:]
            if sum(other[-size:] == end for other in every) <= 1:
                break
        short[key] = ".".join(end)
    return short


def describe(options: Options, key: str, short: Mapping[str, str]) -> str:
    """Return an option as people write it: ``slots=200``, ``memory=none``, ``loss=AtlopLoss``."""
    while key not in options and "." in key:  # the class it belongs to is not there
        key = key.rpartition(".")[0]
    name = short.get(key, key.rpartition(".")[2])
    return f"{name}={show(options.get(key))}"


def show(value: Value) -> str:
    """Return a value as people write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return text.rpartition(".")[2] if re.fullmatch(r"docre(\.\w+)+", text) else text
