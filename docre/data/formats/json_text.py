"""JSON and JSONL: decoding with errors that say where, and cutting a big array into records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from docre.data.formats.base import shown
from docre.errors import DataError, Problem

_DECODER = msgspec.json.Decoder()
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TOO_DEEP = "JSON is nested too deeply"
_BOM = b"\xef\xbb\xbf"


def decode(data: bytes | msgspec.Raw, document: str = "") -> Any:
    """Decode one JSON value or raise a :class:`DataError` that says what is wrong."""
    try:
        return _DECODER.decode(data)
    except RecursionError:
        message = _TOO_DEEP
    except UnicodeDecodeError as error:
        raise not_utf8(error.start, document) from None
    except msgspec.DecodeError as error:
        raise _broken(str(error), bytes(data), document) from None
    raise DataError([Problem("broken-json", message, document)])


def decode_object(data: bytes | msgspec.Raw, document: str) -> dict[str, Any]:
    """Decode a record that has to be a JSON object."""
    value = decode(data, document)
    if type(value) is not dict:
        message = f"expected an object for each document, found {shown(value)}"
        raise DataError([Problem("wrong-type", message, document)])
    return value


def repeated_keys(record: bytes, keys: Collection[str], document: str) -> list[Problem]:
    """Say which of an object's keys are given twice: decoding keeps the last, without a word.

    Args:
        record: The object as it stands in the file, known to be JSON.
        keys: Keys of the object that none of the objects inside it uses.
        document: Where the record is.
    """
    # Nearly always settled by counting; a text that only looks like a key costs a second look.
    if all(record.count(b'"%s"' % key.encode()) < 2 for key in keys):
        return []
    pairs = json.loads(record, object_pairs_hook=list)
    counts = Counter(key for key, _ in pairs)
    return [
        Problem("duplicate-key", f"the key is given {n} times", document, key)
        for key, n in counts.items()
        if n > 1
    ]


def split_json(data: bytes) -> Iterator[bytes]:
    """Cut a JSON array, a single JSON object or JSON lines into one record a document.

    The records of a file that breaks off are yielded up to the break; then the error is raised.
    """
    data = require_content(data)
    require_utf8(data)
    if data[:1] == b"[":
        yield from _split_array(data)
    elif data[:1] == b"{":
        yield from _split_lines(data)
    else:
        message = f"expected a JSON array or JSON objects, found {data[:20]!r}"
        raise DataError([Problem("broken-json", message)])


def require_content(data: bytes) -> bytes:
    """Return the data without byte-order mark and outer blanks; an empty file is an error."""
    data = data.removeprefix(_BOM).strip()
    if not data:
        raise DataError([Problem("empty-file", "the file is empty")])
    return data


def require_utf8(data: bytes) -> None:
    """Raise a :class:`DataError` with the byte where the data stops being UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(error.start) from None


def not_utf8(position: int, document: str = "") -> DataError:
    """Return the error for text in another encoding."""
    message = f"not UTF-8 at byte {position:,}; save the file as UTF-8"
    return DataError([Problem("not-utf8", message, document)])


def _split_array(data: bytes) -> Iterator[bytes]:
    try:
        records = _RAW_LIST.decode(data)
    except RecursionError:
        yield from _salvage(data, _TOO_DEEP)
        return
    except msgspec.DecodeError as error:
        yield from _salvage(data, str(error))
        return
    yield from map(bytes, records)


def _split_lines(data: bytes) -> Iterator[bytes]:
    """Yield JSON lines, or the whole file if it is one object written over several lines."""
    first, _, rest = data.partition(b"\n")
    if rest.strip():
        try:
            _DECODER.decode(first)
        except (msgspec.DecodeError, RecursionError):
            try:
                _DECODER.decode(data)
            except (msgspec.DecodeError, RecursionError):
                pass  # lines it is; each broken one gets an error of its own
            else:
                yield data
                return
    yield from (line for line in data.split(b"\n") if line.strip())


def _salvage(data: bytes, reason: str) -> Iterator[bytes]:
    """Yield the complete objects of a broken array, then say where and why it breaks."""
    position, count = 1, 0
    for start, end in _objects(data):
        yield data[start:end]
        position, count = end, count + 1
    place = f"after document {count:,} (byte {position:,})"
    if data[position:].strip() not in (b"]", b""):
        place += ", the rest is not read"
    if "truncated" in reason or not data.endswith(b"]"):
        message = f"the JSON breaks off {place}: {reason}"
        raise DataError([Problem("truncated-json", message)])
    # the reason has the byte; what breaks may be inside a document, which then says so itself
    message = f"broken JSON: {reason}; read up to the end of document {count:,}"
    raise DataError([Problem("broken-json", message)])


def _objects(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the spans of the outermost objects by counting brackets outside of strings."""
    depth, start, quoted, escaped = 0, 0, False, False
    for index in range(1, len(data)):
        byte = data[index]
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"{[":
            if depth == 0:
                start = index
            depth += 1
        elif byte in b"}]":
            depth -= 1
            if depth == 0:
                yield start, index + 1
            elif depth < 0:
                return


def _broken(reason: str, data: bytes, document: str) -> DataError:
    code = "truncated-json" if "truncated" in reason else "broken-json"
    start = data[:30].decode("utf-8", "replace")
    return DataError([Problem(code, f"{reason} (in {start!r}...)", document)])
