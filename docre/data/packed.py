"""Packed files, unpacked no further than texts of their size go.

A few kilobytes can be packed so that they unpack to gigabytes. Documents and predictions shrink to
a tenth, the most monotonous ones to a hundredth; what would be larger than that is refused when it
gets there, and never was in memory as a whole.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any, BinaryIO

# Bytes that a packed file may always have, and how many times larger than packed beyond that.
_ALWAYS = 256 << 20
_TIMES = 250
_PIECE, _READ = 1 << 16, 1 << 20


class TooLargeError(gzip.BadGzipFile):
    """What unpacks to more than a text would."""


def largest(packed: int) -> int:
    """Return how many bytes may come out of so many packed ones."""
    return max(_ALWAYS, _TIMES * packed)


def open_gz(path: Path) -> BinaryIO:
    """Open a gz file for reading.

    Raises:
        TooLargeError: While it is read, when it has become too large.
    """
    limit = largest(path.stat().st_size)
    return io.BufferedReader(_Limited(gzip.open(path), limit))


def read_limited(file: Any, packed: int) -> bytes:
    """Return what comes out of a packed file.

    Args:
        file: Open, for reading.
        packed: Its bytes before.

    Raises:
        TooLargeError: If that is too much.
    """
    limited = io.BufferedReader(_Limited(file, largest(packed)))
    return b"".join(iter(lambda: limited.read(_READ), b""))


def read_gz(path: Path) -> bytes:
    """Return what a gz file unpacks to.

    Raises:
        TooLargeError: If that is too much.
    """
    with gzip.open(path) as file:
        return read_limited(file, path.stat().st_size)


class _Limited(io.RawIOBase):
    """A file that ends in an error behind so many bytes."""

    def __init__(self, file: Any, limit: int) -> None:
        super().__init__()
        self._file, self._limit, self._done = file, limit, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), _PIECE))
        self._done += len(data)
        if self._done > self._limit:
            raise TooLargeError(
                f"it unpacks to more than {self._limit:,} bytes, which texts of its size do not"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
