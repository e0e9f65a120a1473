"""Documents to predict, from wherever they are: a stream that is never held as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from docre.data.reading import DocumentReader, OnError
from docre.documents import Document
from docre.errors import DataError, DocreError, Problem
from docre.pipeline.records import open_bytes, records_of

_TEXTS = (".txt", ".text")


@dataclass(frozen=True, slots=True)
class Asked:
    """One document that was asked for.

    Args:
        number: Its place among all, from 0.
        document: The document; ``None`` where nothing can be done with it.
        problems: What is wrong with it.
    """

    number: int
    document: Document | None
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """Id of the document, or its place in its file."""
        if self.document is not None:
            return self.document.id
        return next((one.document for one in self.problems if one.document), f"#{self.number}")


def files_of(sources: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return the files that are meant, each with the name that a text in it gets.

    Args:
        sources: Files, or folders of text files.

    Raises:
        DocreError: If one is not there, or a folder has no texts.
    """
    found: list[tuple[Path, str]] = []
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if path.suffix in _TEXTS)
            if not inside:
                raise DocreError(
                    f"{source} has no .txt file in it; name files of documents one by one"
                )
            found += [
                (path, path.relative_to(source).with_suffix("").as_posix()) for path in inside
            ]
        elif source.is_file():
            found.append((source, source.stem))
        else:
            raise DocreError(f"no such file or folder: {source}")
    if not found:
        raise DocreError("name at least one file or folder of documents")
    return found


def read_stream(
    files: Iterable[tuple[Path, str]],
    format: str | None = None,
    on_error: OnError = "skip",
) -> Iterator[Asked]:
    """Yield the documents of files, the bad ones with what is wrong with them.

    Args:
        files: As :func:`files_of` names them.
        format: Name of the format of all that are not texts; found out from each if left out.
        on_error: ``skip`` leaves bad documents to the caller, ``fix`` mends what can be mended.

    Raises:
        DataError: If a file cannot be read at all.
    """
    seen: set[str] = set()
    number = 0
    for path, name in files:
        of_file = _text(path, name) if path.suffix in _TEXTS else _documents(path, format, on_error)
        for document, problems in of_file:
            here = [problem.at(source=str(path)) for problem in problems]
            if document is not None and document.id in seen:
                message = "another document has the same id"
                here.append(Problem("duplicate-title", message, document.id, "id", str(path)))
                document = _renamed(document, seen) if on_error == "fix" else None
            if document is not None:
                seen.add(document.id)
            yield Asked(number, document, tuple(here))
            number += 1


def _documents(
    path: Path, format: str | None, on_error: OnError
) -> Iterator[tuple[Document | None, list[Problem]]]:
    chosen, records = records_of(path, format)
    reader = DocumentReader(path, chosen, on_error=on_error)
    index = 0
    try:
        for record in records:
            yield reader.examine(index, record)
            index += 1
    except DataError as error:  # the file itself breaks off
        if not index:
            raise DataError(problem.at(source=str(path)) for problem in error.problems) from None
        yield None, list(error.problems)


def _text(path: Path, name: str) -> Iterator[tuple[Document | None, list[Problem]]]:
    with open_bytes(path) as file:
        data = file.read()
    try:
        document = Document.from_text(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start:,}; save the file as UTF-8"
        yield None, [Problem("not-utf8", message, name)]
    except DataError as error:
        yield None, list(error.problems)
    else:
        yield document, []


def _renamed(document: Document, seen: set[str]) -> Document:
    number = 2
    while f"{document.id}#{number}" in seen:
        number += 1
    return replace(document, id=f"{document.id}#{number}")
