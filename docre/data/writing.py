"""Write documents and predictions, whole or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from docre.data.formats.base import Format
from docre.data.formats.own import DocreFormat
from docre.data.formats.registry import format_named
from docre.data.held_file import held_file, remove_leftovers
from docre.disk import refusals_said
from docre.documents import Document

_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


def write_documents(
    path: str | Path,
    documents: Iterable[Document],
    format: str | Format | None = None,
) -> int:
    """Write documents to a file and return how many there were.

    Args:
        path: The file; its folder is made, ``.gz`` is packed, an older file is replaced only when
            the new one is complete.
        documents: Any documents; they are written as they come.
        format: Name of the format or a format object; docre's own if left out, as JSON lines if
            the name ends in ``.jsonl``.
    """
    target = Path(path)
    chosen: Format
    if format is None or format == "docre":
        chosen = DocreFormat(lines=target.name.endswith(_LINES))
    else:
        chosen = format_named(format) if isinstance(format, str) else format
    count = 0

    def counted() -> Iterator[Document]:
        nonlocal count
        for document in documents:
            count += 1
            yield document

    with atomic_file(target) as file:
        for piece in chosen.render(counted()):
            file.write(piece)
    return count


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when it is complete.

    What killed processes left of the same file is removed before.

    Raises:
        DiskError: If the disk is full, or the folder cannot be written to.
    """
    with refusals_said(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with held_file(partial) as raw:
                if target.suffix == ".gz":
                    # no name and no time in the header: equal content gives an equal file
                    with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                        yield cast(BinaryIO, packed)
                else:
                    yield raw
                raw.flush()
                os.fsync(raw.fileno())
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def write_lines(target: Path, lines: Iterable[bytes]) -> None:
    """Write lines, whole or not at all."""
    with atomic_file(target) as file:
        for line in lines:
            file.write(line + b"\n")


def write_array(target: Path, entries: Iterable[bytes]) -> None:
    """Write a JSON array with an entry a line, whole or not at all.

    Args:
        target: The file.
        entries: JSON values; they are written as they come.
    """
    with atomic_file(target) as file:
        separator = b"[\n"
        for entry in entries:
            file.write(separator + entry)
            separator = b",\n"
        file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")
