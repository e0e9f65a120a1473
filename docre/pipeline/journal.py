"""What has been predicted so far, in a file beside the output: a killed command goes on from it.

The first line says what is being done, each following one has a document. They stand in the order
of the input, so their number says where to go on. A line that a kill cut short is cut off, with
those that were predicted together with it: what is padded otherwise is another number in the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec

from docre.data.formats.own import DocreFormat, encode
from docre.disk import refusals_said
from docre.documents import Document
from docre.errors import DocreError, Problem
from docre.pipeline.outcome import Outcome


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One document.

    Args:
        document: With what was found in it, in docre's own format; null if nothing could be.
        problems: What was wrong with it.
    """

    document: msgspec.Raw
    problems: tuple[Problem, ...] = ()


_LINES = msgspec.json.Decoder(JournalLine)
_FORMAT = DocreFormat()
_NOTHING = b"null"


class Journal:
    """The file of an output that is being made; only one process may write it.

    Args:
        target: The output; the journal is ``TARGET.part``.
        task: Everything that decides what is written.
        again: Forget what has been done.
        together: How many documents are added at a time, at the end fewer.

    Raises:
        DocreError: If another task has begun this output, or another process is at it.
        DiskError: If it cannot be written.
    """

    def __init__(
        self, target: Path, task: Mapping[str, Any], again: bool = False, together: int = 1
    ) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self.done = 0
        header = msgspec.json.encode(task, order="deterministic") + b"\n"
        with refusals_said(self.path):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._locked()
            try:
                if again:
                    self._file.truncate(0)
                self._continue(header, together)
            except BaseException:
                self._close_after_error()
                raise

    def _locked(self) -> BinaryIO:
        import fcntl

        while True:
            file = self.path.open("a+b")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise DocreError(f"{self.path}: another docre predict is writing it") from None
            # another one may have finished and removed the file in between
            if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
                return file
            file.close()

    def _continue(self, header: bytes, together: int) -> None:
        """Check the first line, count what was added as a whole and cut off the rest."""
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):  # nothing was begun, or hardly
            self._file.truncate(0)
            self._file.write(header)
            self._file.flush()
            return
        if first != header:
            raise DocreError(
                f"{self.path} was begun by another model, with other documents or options: delete "
                "it to begin again, or write to another --output"
                f"{_differing(first, header)}"
            )
        whole = end = len(first)
        for number, line in enumerate(self._file, start=1):
            if not line.endswith(b"\n"):
                break
            end += len(line)
            if number % together == 0:
                whole, self.done = end, number
        self._file.truncate(whole)
        self._file.seek(whole)

    def add(self, outcomes: list[Outcome]) -> None:
        """Write the outcomes of some documents, to be there whatever happens next."""
        lines = []
        for one in outcomes:
            found = _NOTHING if one.extraction is None else encode(one.extraction.document)
            line = JournalLine(msgspec.Raw(found), one.problems)
            lines.append(msgspec.json.encode(line) + b"\n")
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done += len(outcomes)

    def lines(self) -> Iterator[tuple[Document | None, tuple[Problem, ...]]]:
        """Yield all documents and problems, in the order of the input."""
        self._file.flush()
        with self.path.open("rb") as file:
            file.readline()
            for number, line in enumerate(file):
                read = _LINES.decode(line)
                found = bytes(read.document)
                document = None if found == _NOTHING else _FORMAT.parse(found, number)[0]
                yield document, read.problems

    def remove(self) -> None:
        """Forget everything: the output is complete."""
        self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._file.close()
        else:
            self._close_after_error()

    def _close_after_error(self) -> None:
        with suppress(OSError):  # a full disk refuses again what it has refused
            self._file.close()


def _differing(before: bytes, now: bytes) -> str:
    """Say what of a task is another."""
    try:
        theirs, ours = msgspec.json.decode(before), msgspec.json.decode(now)
        keys = [key for key in ours if theirs.get(key) != ours[key]]
    except (msgspec.DecodeError, AttributeError, RecursionError):
        return ""
    return f" (other: {', '.join(keys)})"
