"""YAML that is small when it is written out: bounded before any reader builds something of it.

A few aliases of aliases stand for billions of values, and a hundred thousand brackets in a row end
the process in readers that are written in C. Both are seen in the events of the text, one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from docre.errors import DocreError

DEEPEST = 100
MOST = 200_000
_DIGITS = 4000


def require_plain(text: str) -> None:
    """Refuse what is nested deeply, or large once its aliases are written out.

    Text that is no YAML passes: whoever reads it in earnest says where it breaks.

    Raises:
        ValueError: Without the place of the file.
    """
    sizes: dict[str, int] = {}
    open_: list[list[Any]] = []  # of each mapping or list that is open: anchor, values so far
    for event in _events(text):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append([event.anchor, 1])
            if len(open_) > DEEPEST:
                raise ValueError(f"this YAML is nested more than {DEEPEST} levels deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == outer for outer, _ in open_):
                raise ValueError(f"the anchor {event.anchor} of this YAML is inside of itself")
            anchor, size = None, sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
            _require_short(event)
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        if open_:
            open_[-1][1] += size
            size = open_[-1][1]
        if size > MOST:
            raise ValueError(
                f"this YAML has more than {MOST:,} values with its aliases written out"
            )


def _require_short(event: Any) -> None:
    """Refuse what would be read as a number that Python does not read."""
    if event.implicit[0] and len(event.value) > _DIGITS and event.value[0] in "+-0123456789":
        raise ValueError(f"{event.value[:20]}... in this YAML has {len(event.value):,} digits")


def plain_yaml(path: Path) -> str:
    """Return the text of a YAML file that is small when it is written out.

    Raises:
        DocreError: If it cannot be read, or is not; the message names the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        require_plain(text)
    except (OSError, ValueError) as error:
        raise DocreError(f"{path}: {error}") from error
    return text


def _events(text: str) -> Any:
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return
