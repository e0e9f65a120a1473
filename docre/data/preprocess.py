"""Documents to rows in chunks, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, NamedTuple

import pyarrow as pa

from docre.data.columns import PAIR_ROWS, RowKind, RowMaker, to_record_batch
from docre.data.formats.base import Record
from docre.data.progress import progress_bar
from docre.data.reading import DocumentReader
from docre.errors import DataError, DocreError, Problem

# Large enough that words are cut many at a time, small enough that a bar moves.
CHUNK = 256


class Chunk(NamedTuple):
    """What became of some records: ids (``None`` where not kept), their problems, and the rows."""

    ids: list[str | None]
    problems: list[list[Problem]]
    rows: pa.RecordBatch
    refused: DataError | None


class _Worker(NamedTuple):
    """Everything a process needs to work on a chunk; the file's bytes stay behind."""

    reader: DocumentReader
    maker: RowMaker
    kind: RowKind

    def __call__(self, first: int, records: list[Record]) -> Chunk:
        examined = [self.reader.examine(first + k, record) for k, record in enumerate(records)]
        documents = [document for document, _ in examined if document is not None]
        rows: Sequence[tuple[Any, ...]] = []
        refused = None
        try:
            rows = self.maker(documents)
        except DataError as error:  # such as too long, or without a marker
            refused = error
        return Chunk(
            ids=[None if document is None else document.id for document, _ in examined],
            problems=[problems for _, problems in examined],
            rows=to_record_batch(rows, self.kind),
            refused=refused,
        )


def preprocess(
    reader: DocumentReader,
    maker: RowMaker,
    num_proc: int = 1,
    progress: bool = False,
    kind: RowKind = PAIR_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in file order, whatever the number of processes.

    Args:
        reader: The file.
        maker: Turns documents into rows.
        num_proc: Number of processes.
        progress: Show a progress bar where there is a terminal.
        kind: Which rows the maker makes.

    Raises:
        DataError: At the end, with the problems of the whole file, if the reader's policy says so.
    """
    worker = _Worker(reader.without_data(), maker, kind)
    refused: list[DataError] = []
    with progress_bar(f"Preparing {reader.path.name}", enabled=progress) as advance:
        for chunk in _chunks(worker, reader.records(), num_proc):
            if chunk.refused is not None:
                refused.append(chunk.refused)
            yield _settled(reader, chunk)
            advance(len(chunk.ids))
    if refused:
        problems = (p.at(source=str(reader.path)) for error in refused for p in error.problems)
        raise DataError(problems, refused[0].hint)
    reader.finish()


def _settled(reader: DocumentReader, chunk: Chunk) -> pa.RecordBatch:
    """Count a chunk's documents in file order and give them unique ids."""
    kept = [
        (name, reader.settle(name, problems))
        for name, problems in zip(chunk.ids, chunk.problems, strict=True)
    ]
    settled = [(old, new) for old, new in kept if old is not None]
    if chunk.refused is not None or all(old == new for old, new in settled):
        return chunk.rows
    names = pa.array([new for _, new in settled], type=pa.string())
    columns = {**dict(zip(chunk.rows.schema.names, chunk.rows.columns, strict=True)), "id": names}
    renamed = pa.RecordBatch.from_arrays(list(columns.values()), schema=chunk.rows.schema)
    return renamed.filter(names.is_valid())


def _chunks(worker: _Worker, records: Iterator[Record], num_proc: int) -> Iterator[Chunk]:
    numbered = _numbered(records)
    if num_proc <= 1:
        yield from (worker(first, chunk) for first, chunk in numbered)
        return
    # Results come in file order; no more chunks are under way than keep the processes busy.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    try:
        with ProcessPoolExecutor(num_proc, context, _start, (worker,)) as pool:
            pending: deque[Future[Chunk]] = deque()
            for first, chunk in numbered:
                pending.append(pool.submit(_work, first, chunk))
                if len(pending) > 2 * num_proc:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise DocreError(
            f"{worker.reader.path}: one of the {num_proc} processes that prepare documents was "
            "ended from outside, most often because memory ran out; try a smaller num_proc"
        ) from error


def _numbered(records: Iterator[Record]) -> Iterator[tuple[int, list[Record]]]:
    first = 0
    while chunk := list(islice(records, CHUNK)):
        yield first, chunk
        first += len(chunk)


_worker: _Worker | None = None


def _start(worker: _Worker) -> None:
    """Set a worker process up; it shares the cores with the others, so it cuts words alone."""
    global _worker
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _worker = worker
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the process that asks for rows is killed; nobody else would say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(first: int, records: list[Record]) -> Chunk:
    if _worker is None:
        raise RuntimeError("the worker process was not set up")
    return _worker(first, records)
