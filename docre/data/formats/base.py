"""What a file format has to say: how to cut a file into records, parse one, and write them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from docre.documents import Document
from docre.errors import DataError, Problem

# One document of a file, still raw and cheap to send to a worker process.
Record = Any


@runtime_checkable
class Format(Protocol):
    """One file format; instances hold the format's settings and can be pickled.

    ``split`` and ``parse`` are apart so that a file is cut once and its documents are parsed where
    they are needed, in several processes if there are many.
    """

    @property
    def name(self) -> str:
        """Name of the format."""
        ...

    def split(self, data: bytes) -> Iterator[Record]:
        """Cut a file into records, one a document; a :class:`DataError` ends a broken file."""
        ...

    def parse(self, record: Record, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one record or raise a :class:`DataError` with all its problems.

        Beside the document come problems it can live with. Those of severity ``note`` are known
        quirks of an official data set that were passed over; those of severity ``error`` are mended
        in this document, which is kept under ``fix`` only. Only the shape of the data is judged
        here: fields that are missing or of a wrong type. Whether spans and indices make sense is
        for :func:`docre.documents.check`.
        """
        ...

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield the pieces of a file that holds the documents."""
        ...


_MISSING = object()
_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
_ONLY_TEXTS = {str}


class Fields:
    """Typed access to decoded JSON that collects every problem instead of stopping at the first."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def add(self, code: str, message: str, place: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(code, message, self.document, place))

    def get(self, record: dict[str, Any], key: str, kind: type, place: str) -> Any:
        """Return ``record[key]`` if it is of the kind, else note why not and return an empty."""
        value = record.get(key, _MISSING)
        if type(value) is kind:
            return value
        where = f"{place}.{key}" if place else key
        if value is _MISSING:
            self.add("missing-key", "the key is missing", where)
        else:
            self._wrong(value, kind, where)
        return kind()

    def optional(
        self, record: dict[str, Any], key: str, kind: type, place: str, default: Any
    ) -> Any:
        """Return ``record[key]``, or the default where the key is absent or null."""
        value = record.get(key)
        if value is None:
            return default
        return self.item(value, kind, f"{place}.{key}" if place else key)

    def item(self, value: Any, kind: type, place: str) -> Any:
        """Return the value if it is of the kind, else note the problem and return an empty one."""
        if type(value) is kind:
            return value
        self._wrong(value, kind, place)
        return kind()

    def integers(self, values: list[Any], place: str) -> tuple[int, ...]:
        """Return a list of whole numbers as a tuple."""
        return self._all_of(values, int, place)

    def texts(self, values: list[Any], place: str) -> tuple[str, ...]:
        """Return a list of texts as a tuple."""
        return self._all_of(values, str, place)

    def sentences(self, record: dict[str, Any], key: str) -> tuple[tuple[str, ...], ...]:
        """Return the words of a document by sentence."""
        return tuple(
            tuple(words)
            if type(words) is list and set(map(type, words)) == _ONLY_TEXTS
            else self.texts(self.item(words, list, f"{key}[{s}]"), f"{key}[{s}]")
            for s, words in enumerate(self.get(record, key, list, ""))
        )

    def number(self, record: dict[str, Any], key: str, place: str) -> float | None:
        """Return a number, or ``None`` where the key is absent or null."""
        value = record.get(key)
        if value is None or type(value) is float:
            return value
        if type(value) is int:
            try:
                return float(value)
            except OverflowError:
                pass
        self.add("wrong-type", f"expected a number, found {shown(value)}", f"{place}.{key}")
        return None

    def done(self) -> None:
        """Raise what was collected, if anything was."""
        if self.problems:
            raise DataError(self.problems)

    def _all_of(self, values: list[Any], kind: type, place: str) -> tuple[Any, ...]:
        # one pass without Python code in it; the second one is for the message
        if values and set(map(type, values)) != {kind}:
            index = next(k for k, value in enumerate(values) if type(value) is not kind)
            self._wrong(values[index], kind, f"{place}[{index}]")
            return ()
        return tuple(values)

    def _wrong(self, value: Any, kind: type, place: str) -> None:
        self.add("wrong-type", f"expected {_NAMES[kind]}, found {shown(value)}", place)


def shown(value: Any) -> str:
    """Write a value as JSON people know it; what holds others is only named, it may be huge."""
    if value is None or type(value) is bool:
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) in (list, dict):
        return _NAMES[type(value)]
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."


def leftover(record: dict[str, Any], known: frozenset[str]) -> dict[str, Any] | None:
    """Return the keys the schema has no place for, so that a writer can put them back."""
    if record.keys() <= known:
        return None
    return {key: value for key, value in record.items() if key not in known}
