"""Memory that is free, but that the C library keeps."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def _trim() -> Callable[[int], Any] | None:
    """Return glibc's function for it; other C libraries have none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


def give_back_memory() -> None:
    """Hand free memory back to the system.

    Batches of many sizes leave a heap full of holes, which would grow with the number of documents.
    """
    trim = _trim()
    if trim is not None:
        trim(0)
