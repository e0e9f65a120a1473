"""Read documents from a file of any known format, with one policy for what is wrong in it."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from docre.data.formats.base import Format, Record
from docre.data.formats.registry import detect_format, format_named
from docre.data.packed import read_gz
from docre.data.writing import atomic_file
from docre.documents import Document, check
from docre.errors import Action, DataError, Problem
from docre.repair import repair

OnError = Literal["fail", "skip", "fix"]

HINT = (
    "Mend the file, or set on_error to 'fix' (mend what can be mended) or 'skip' (leave these "
    "documents out); both write down what they did."
)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ReadReport:
    """What reading a file met: how many documents, and every problem with what was done."""

    source: str = ""
    documents: int = 0
    kept: int = 0
    fixed: int = 0
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        """The problems that are not mere notes."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def counts(self) -> Counter[str]:
        """Return how often each kind of problem came."""
        return Counter(problem.code for problem in self.problems)

    def write(self, path: Path) -> None:
        """Write the report as JSON, whole or not at all."""
        counts = dict(self.counts().most_common())
        body = {
            "source": self.source,
            "documents": self.documents,
            "kept": self.kept,
            "fixed": self.fixed,
            "skipped": self.skipped,
            "counts": counts,
            "problems": self.problems,
        }
        with atomic_file(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(body), indent=1))


def read_documents(
    path: str | Path,
    format: str | Format | None = None,
    relations: Collection[str] | None = None,
    types: Collection[str] | None = None,
    on_error: OnError = "fail",
    report: ReadReport | None = None,
    limit: int | None = None,
) -> list[Document]:
    """Read and check all documents of a file.

    Args:
        path: The file; ``.gz`` is unpacked on the way.
        format: Name of the format or a format object; found out from the file if left out.
        relations: Known relation names; ``None`` accepts every name.
        types: Known entity types; ``None`` accepts every type.
        on_error: ``fail`` raises with the problems of the whole file, ``fix`` mends what can be
            mended and leaves out the rest, ``skip`` leaves out every document with a problem.
        report: Filled with everything that was met.
        limit: Read only so many documents.

    Raises:
        DataError: If the file cannot be read, or for any problem under ``fail``.
    """
    reader = DocumentReader(path, format, relations, types, on_error, report, limit)
    return list(reader)


class DocumentReader:
    """Iterate over the checked documents of a file.

    Under ``on_error="fail"`` the error comes at the end, with the problems of the whole file, so
    whoever streams must not keep what came before it. Arguments as in :func:`read_documents`.
    """

    def __init__(
        self,
        path: str | Path,
        format: str | Format | None = None,
        relations: Collection[str] | None = None,
        types: Collection[str] | None = None,
        on_error: OnError = "fail",
        report: ReadReport | None = None,
        limit: int | None = None,
    ) -> None:
        if on_error not in ("fail", "skip", "fix"):
            raise ValueError(f"on_error must be fail, skip or fix, not {on_error!r}")
        if limit is not None and limit < 1:
            raise DataError([Problem("wrong-setting", f"limit must be at least 1, not {limit}")])
        self.path = Path(path)
        if format is None:
            format = detect_format(self.path, self.data)
        self.format = format_named(format) if isinstance(format, str) else format
        self.relations = relations
        self.types = types
        self.on_error = on_error
        self.limit = limit
        self.report = report if report is not None else ReadReport()
        self.report.source = str(self.path)
        self._ids: set[str] = set()

    @cached_property
    def data(self) -> bytes:
        """The file, which is not read before it is needed."""
        return read_bytes(self.path)

    def __iter__(self) -> Iterator[Document]:
        yield from self.documents()
        self.finish()

    def documents(self) -> Iterator[Document]:
        """Yield the documents that are kept and leave the verdict on the rest to the caller."""
        for index, record in enumerate(self.records()):
            document, problems = self.examine(index, record)
            kept = self.settle(None if document is None else document.id, problems)
            if document is not None and kept is not None:
                yield document if kept == document.id else replace(document, id=kept)

    def records(self) -> Iterator[Record]:
        """Yield raw records; what breaks the file itself ends them and is noted."""
        found = False
        try:
            for record in islice(self.format.split(self.data), self.limit):
                found = True
                yield record
        except DataError as error:
            if not found:
                raise DataError(p.at(source=str(self.path)) for p in error.problems) from None
            self._note([problem.at(action=self._refused) for problem in error.problems])

    def examine(self, index: int, record: Record) -> tuple[Document | None, list[Problem]]:
        """Parse and check one record; return the document, if it can be kept, and its problems.

        Depends on nothing but its arguments, so worker processes may do it in any order.
        """
        try:
            document, notes = self.format.parse(record, index)
        except DataError as error:
            return None, [problem.at(action=self._refused) for problem in error.problems]
        problems = check(document, self.relations, self.types)
        if notes:
            problems += [note for note in notes if note.severity == "error"]
            notes = [note for note in notes if note.severity == "note"]
        if not problems:
            return document, notes
        if self.on_error == "fix" and document.id:
            document, _ = repair(document, self.relations, self.types)
            return document, notes + [p.at(action="fixed") for p in problems]
        name = document.id or f"#{index}"
        return None, notes + [p.at(action=self._refused, document=name) for p in problems]

    def without_data(self) -> DocumentReader:
        """Return a reader that can examine records but does not carry the file's bytes."""
        light = copy(self)
        light.data, light.report, light._ids = b"", ReadReport(self.report.source), set()
        return light

    @property
    def _refused(self) -> Action:
        return "" if self.on_error == "fail" else "skipped"

    def settle(self, name: str | None, problems: list[Problem]) -> str | None:
        """Count one examined document, in file order, and return the unique id it is kept under.

        Args:
            name: Its id, or ``None`` if it cannot be kept.
            problems: What was found wrong with it.
        """
        self.report.documents += 1
        if name is not None and name in self._ids:
            message = "another document of the file has the same title"
            action: Action = "fixed" if self.on_error == "fix" else self._refused
            problem = Problem("duplicate-title", message, name, "id", action=action)
            problems = [*problems, problem]
            name = self._free_name(name) if self.on_error == "fix" else None
        if name is None:
            self.report.skipped += 1
        else:
            self._ids.add(name)
            self.report.kept += 1
            self.report.fixed += any(p.action == "fixed" for p in problems)
        self._note(problems)
        return name

    def _free_name(self, name: str) -> str:
        number = 2
        while f"{name}#{number}" in self._ids:
            number += 1
        return f"{name}#{number}"

    def _note(self, problems: list[Problem] | tuple[Problem, ...]) -> None:
        self.report.problems += [problem.at(source=str(self.path)) for problem in problems]

    def finish(self) -> None:
        """Raise under ``fail`` if anything was wrong, else say in the log what was done."""
        errors = self.report.errors
        if self.report.documents == 0:
            raise DataError([Problem("empty-file", "no documents", source=str(self.path))])
        if errors and self.on_error == "fail":
            raise DataError(errors, HINT)
        if errors:
            _log.warning(
                "%s: %d of %d documents kept, %d fixed, %d skipped (%s)",
                self.path.name,
                self.report.kept,
                self.report.documents,
                self.report.fixed,
                self.report.skipped,
                ", ".join(f"{code}: {n}" for code, n in self.report.counts().most_common()),
            )


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if it is a ``.gz``, with errors that say why not."""
    try:
        return read_gz(path) if path.suffix == ".gz" else path.read_bytes()
    except FileNotFoundError:
        code, message = "no-file", "no such file"
    except IsADirectoryError:
        code, message = "no-file", "this is a folder, not a file"
    except PermissionError:
        code, message = "no-file", "no permission to read the file"
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        code, message = "broken-gzip", f"cannot be unpacked: {error}"
    except (OSError, ValueError) as error:  # a name that cannot be one, a disk that fails
        code, message = "no-file", f"cannot be read: {error}"
    raise DataError([Problem(code, message, source=str(path))])
