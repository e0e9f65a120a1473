"""Records of a file one after another, without the whole file in memory where its format allows.

JSON arrays and JSON lines, packed or not, are read in pieces. Other formats are small in practice
and are cut by their own ``split``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from docre.data.formats.base import Format, Record
from docre.data.formats.registry import detect_format, format_named
from docre.data.packed import open_gz
from docre.data.reading import read_bytes
from docre.errors import DataError, Problem

_PIECE = 1 << 20
_HEAD = 1 << 16
_BOM = b"\xef\xbb\xbf"
# formats whose files are JSON with one object a document
_JSON = ("docre", "docred", "chemdisgene")
# a whole string, or one bracket; a string or a number that is cut by the end of a piece is neither
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}"]', re.DOTALL)


def records_of(path: Path, format: str | None = None) -> tuple[Format, Iterator[Record]]:
    """Return the format of a file and its records, which are read as they are asked for.

    Args:
        path: The file; ``.gz`` is unpacked on the way.
        format: Its name; found out from the file if left out.

    Raises:
        DataError: If the file cannot be read or nobody knows its format; while records are taken,
            where a file breaks off.
    """
    with open_bytes(path) as file:
        head = file.read(_HEAD)
    if not head.removeprefix(_BOM).strip():
        raise DataError([Problem("empty-file", "the file is empty", source=str(path))])
    chosen = format_named(format or detect_format(path, head))
    start = head.removeprefix(_BOM).lstrip()
    if chosen.name in _JSON and start[:1] in (b"[", b"{"):
        return chosen, _json_records(path, is_array=start[:1] == b"[")
    return chosen, chosen.split(read_bytes(path))


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if it is a ``.gz``, with errors that say why not."""
    try:
        with open_gz(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        code = "broken-gzip" if path.suffix == ".gz" and path.is_file() else "no-file"
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot be read: {reason}"
        raise DataError([Problem(code, message, source=str(path))]) from None


def _json_records(path: Path, is_array: bool) -> Iterator[bytes]:
    with open_bytes(path) as file:
        if is_array:
            yield from array_records(file)
        else:
            yield from line_records(file)


def line_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield JSON lines; a file that is one object over several lines is one record."""
    first = file.readline().removeprefix(_BOM)
    while first and not first.strip():
        first = file.readline()
    try:
        msgspec.json.decode(first)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        whole = first + file.read()  # lines that begin with a broken one, or one object
        try:
            msgspec.json.decode(whole)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            yield from (line for line in whole.split(b"\n") if line.strip())
        else:
            yield whole
        return
    yield from (line for line in chain([first], file) if line.strip())


def array_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the elements of a JSON array of objects, reading a piece at a time.

    Raises:
        DataError: Behind the last whole element, where the array breaks off or goes wrong.
    """
    buffer, depth, begin, position, count = b"", 0, 0, 0, 0
    while piece := file.read(_PIECE):
        buffer += piece
        for token in _TOKEN.finditer(buffer, position):
            text = token.group()
            if text == b'"':  # a string that goes on in the next piece
                break
            position = token.end()
            if text in (b"{", b"["):
                depth += 1
                if depth == 2:
                    # what stands between two elements belongs to nobody, unless it is no comma
                    _require_comma(buffer[begin : token.start()], count)
                    begin = token.start()
            elif text in (b"}", b"]"):
                depth -= 1
                if depth == 1:
                    yield buffer[begin : token.end()]
                    count, begin = count + 1, token.end()
                elif depth == 0:
                    _require_end(buffer[begin : token.start()], buffer[token.end() :], file, count)
                    return
        buffer, position, begin = buffer[begin:], position - begin, 0
    message = f"the JSON breaks off after document {count:,}"
    raise DataError([Problem("truncated-json", message)])


def _require_comma(between: bytes, count: int) -> None:
    wanted = (b",",) if count else (b"[", _BOM + b"[")
    if between.strip() not in wanted:
        _broken(count)


def _require_end(last: bytes, rest: bytes, file: BinaryIO, count: int) -> None:
    wanted = (b"",) if count else (b"[", _BOM + b"[")
    if last.strip() not in wanted or (rest + file.read()).strip():
        _broken(count)


def _broken(count: int) -> None:
    message = f"broken JSON behind document {count:,}; the rest is not read"
    raise DataError([Problem("broken-json", message)])
