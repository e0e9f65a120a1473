"""Files of ours whose values somebody changed: one error that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docre.errors import DocreError


@contextmanager
def as_written(place: str | Path) -> Iterator[None]:
    """Say of values that are of other kinds than docre writes them where they are.

    Raises:
        DocreError: If there is one.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError, ValueError) as error:
        if isinstance(error, DocreError):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DocreError(f"{place} is not as docre writes it ({reason})") from error
