"""A file of logits: half precision, one row a document, read where it lies.

It is an Arrow IPC file. A row has the id of a document, its number of pairs, and for its pairs in
row-major order the logits and, unless all are there, their columns. What they are is in the file's
metadata. Reading maps the file into memory: nothing is loaded but the ids and the rows that are
asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from docre import __version__
from docre.data.writing import atomic_file
from docre.errors import DocreError

FORMAT = 1
# Largest number in half precision.
LIMIT = 65504.0
_KEY = b"docre.logits"
# Bytes that are collected before they are written.
_CHUNK = 1 << 24
_log = logging.getLogger(__name__)


class LogitHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of logits says about itself.

    Args:
        teacher: XXH3-128 of the checkpoint that made them.
        source: XXH3-128 of the file of documents.
        relations: Names in the order of the columns, without the threshold.
        top_k: How many logits of a pair there are, the threshold first; ``None`` for all.
        features: What decides tokens and pairs: the tokenizer and the settings of features.
        on_error: What was done with documents that are wrong; ``None`` if it is not known.
        docre: Version that wrote the file.
        format: Version of the layout.
    """

    teacher: str
    source: str
    relations: tuple[str, ...]
    top_k: int | None = None
    features: dict[str, Any] = {}
    on_error: str | None = None
    docre: str = __version__
    format: int = FORMAT

    @property
    def width(self) -> int:
        """``k``: logits of a pair."""
        return self.top_k or 1 + len(self.relations)


class LogitWriter:
    """Writes documents one after another; see :func:`write_logits`."""

    def __init__(self, header: LogitHeader, file: Any) -> None:
        self.header = header
        self.documents = self.pairs = self.clipped = 0
        self._schema = _schema(header)
        self._file = pa.ipc.new_file(file, self._schema)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._names: set[str] = set()

    def add(
        self, name: str, values: NDArray[np.floating], columns: NDArray[np.integer] | None = None
    ) -> None:
        """Write a document.

        Args:
            name: Its id.
            values: Logits of its pairs in row-major order, in at least single precision; what half
                precision cannot hold is clipped and counted.  # [P, k]
            columns: Which those are, if they are not all.  # [P, k]

        Raises:
            DocreError: If the document was there before, or a logit is not a number.
            ValueError: If the shapes are not those of the file.
        """
        if values.ndim != 2 or values.shape[1] != self.header.width:
            raise ValueError(f"logits are [P, {self.header.width}], not {values.shape}")
        if (columns is None) != (self.header.top_k is None):
            raise ValueError("columns are given exactly where not all logits are")
        if name in self._names:
            raise DocreError(
                f"two documents are called {name!r}: their logits cannot be told apart"
            )
        if np.isnan(values).any():
            raise DocreError(f"document {name!r}: the teacher's logits are not numbers")
        self.clipped += int((np.abs(values) > LIMIT).sum())
        half = values.clip(-LIMIT, LIMIT).astype(np.float16).reshape(-1)
        row: dict[str, Any] = {"id": name, "pairs": len(values), "values": half}
        if columns is not None:
            if columns.shape != values.shape:
                raise ValueError(f"columns {columns.shape} are not those of logits {values.shape}")
            row["columns"] = columns.astype(_kind(self.header)).reshape(-1)
        row["checksum"] = _checksum(half, row.get("columns"))
        self._names.add(name)
        self._rows.append(row)
        self.documents += 1
        self.pairs += len(values)
        self._bytes += half.nbytes
        if self._bytes >= _CHUNK:
            self._write()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        if not self._rows:
            return
        arrays = [
            _lists([row[field.name] for row in self._rows])
            if pa.types.is_list(field.type)
            else pa.array([row[field.name] for row in self._rows], field.type)
            for field in self._schema
        ]
        self._file.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._rows, self._bytes = [], 0


@contextmanager
def write_logits(target: Path, header: LogitHeader) -> Iterator[LogitWriter]:
    """Open a file for logits that appears under its name only when it is complete."""
    with atomic_file(target) as file:
        writer = LogitWriter(header, file)
        yield writer
        writer.close()
    if writer.clipped:
        _log.warning(
            "%s: %d logits were clipped to +-%d, all that half precision holds",
            target,
            writer.clipped,
            LIMIT,
        )


class LogitFile:
    """The logits in a file, read where they lie.

    Args:
        path: The file.

    Raises:
        DocreError: If it is not there, is not such a file, is damaged or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise DocreError(f"no such file: {path}")
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
            metadata = (reader.schema.metadata or {}).get(_KEY)
        except (pa.ArrowException, OSError) as error:
            raise DocreError(f"{path} is no file of logits, or not all of one: {error}") from error
        if metadata is None:
            raise DocreError(f"{path} is no file of logits of docre")
        self.header = _header(metadata, self.path)
        try:
            if not reader.schema.equals(_schema(self.header)):
                raise ValueError("its columns are others")
            batches = [reader.get_batch(k) for k in range(reader.num_record_batches)]
            self._parts = [_Part(batch, self.header) for batch in batches]
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DocreError(f"{path} is damaged: {error}") from error
        self._places = {
            name: (part, row) for part in self._parts for row, name in enumerate(part.names)
        }

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def num_pairs(self, name: str) -> int:
        """Return how many pairs a document has.

        Raises:
            DocreError: If the document is not there.
        """
        part, row = self._place(name)
        return int(part.pairs[row])

    def rows(self, name: str) -> tuple[NDArray[np.float16], NDArray[np.integer] | None]:
        """Return the logits of a document and their columns, as they lie in the file.

        Returns:
            Logits, and their columns unless all are there.  # [P, k], [P, k]

        Raises:
            DocreError: If the document is not there, or its rows are not those that were written.
        """
        part, row = self._place(name)
        here = slice(int(part.start[row]), int(part.start[row + 1]))
        values = part.values[here]
        columns = None if part.columns is None else part.columns[here]
        if _checksum(values, columns) != part.checksum[row]:
            raise DocreError(f"{self.path} is damaged: the logits of document {name!r} are others")
        width = self.header.width
        return values.reshape(-1, width), None if columns is None else columns.reshape(-1, width)

    def _place(self, name: str) -> tuple[_Part, int]:
        try:
            return self._places[name]
        except KeyError:
            raise DocreError(f"{self.path} has no logits of document {name!r}") from None


class _Part:
    """Views of the documents that were written at a time."""

    def __init__(self, batch: pa.RecordBatch, header: LogitHeader) -> None:
        batch.validate(full=True)
        self.names: list[str] = batch.column("id").to_pylist()
        self.pairs = batch.column("pairs").to_numpy()
        self.checksum = batch.column("checksum").to_numpy()
        self.start = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.pairs * header.width)])
        self.values = _flat(batch.column("values"), self.start)
        listed = None if header.top_k is None else batch.column("columns")
        self.columns = None if listed is None else _flat(listed, self.start)


def _header(metadata: bytes, path: Path) -> LogitHeader:
    try:
        found = msgspec.json.decode(metadata)["format"]
        if found == FORMAT:
            return msgspec.json.decode(metadata, type=LogitHeader)
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise DocreError(f"{path} is damaged: it does not say what it is") from error
    raise DocreError(
        f"{path} has layout {found}, this version of docre reads layout {FORMAT}: write it again "
        "with docre distil"
    )


def _schema(header: LogitHeader) -> pa.Schema:
    fields = [
        pa.field("id", pa.string()),
        pa.field("pairs", pa.int64()),
        pa.field("checksum", pa.uint64()),
        pa.field("values", pa.list_(pa.float16())),
    ]
    if header.top_k is not None:
        fields.append(pa.field("columns", pa.list_(pa.from_numpy_dtype(_kind(header)))))
    return pa.schema(fields, metadata={_KEY: msgspec.json.encode(header)})


def _kind(header: LogitHeader) -> np.dtype[Any]:
    """Return the smallest whole number that can name a column."""
    return np.min_scalar_type(len(header.relations))


def _lists(arrays: list[NDArray[Any]]) -> pa.ListArray:
    offsets = np.cumsum([0, *map(len, arrays)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(arrays)))


def _flat(column: pa.ListArray, start: NDArray[np.int64]) -> NDArray[Any]:
    """Return all values of a list column as they lie in the file."""
    if not np.array_equal(column.offsets.to_numpy(), start):
        raise ValueError("the lengths of its rows are not those of its documents")
    values: NDArray[Any] = column.values.to_numpy(zero_copy_only=True)
    return values


def _checksum(values: NDArray[Any], columns: NDArray[Any] | None) -> int:
    digest = xxhash.xxh3_64(values.view(np.uint8).data)
    if columns is not None:
        digest.update(columns.view(np.uint8).data)
    return digest.intdigest()
