"""Documents to predict, from wherever they are: a stream that is never held as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from docre.data.reading import DocumentReader, OnError
from docre.documents import Document
from docre.errors import Action, DataError, DocreError, Problem
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


class Source(NamedTuple):
    """A file to read.

    Args:
        path: Where it is.
        name: Id of the text in it, for a file of text.
    """

    path: Path
    name: str

    @property
    def is_text(self) -> bool:
        """Whether it is one plain text, and not a file of documents."""
        return Path(self.path.name.lower().removesuffix(".gz")).suffix in _TEXTS


class Sources(NamedTuple):
    """All files to read, and how many in their folders are not."""

    files: tuple[Source, ...]
    passed_over: int


def sources_of(given: Sequence[Path]) -> Sources:
    """Return the files that are meant.

    Args:
        given: Files, or folders of text files; what is hidden there is not looked at. Texts of one
            name in several places are told by their folders.

    Raises:
        DocreError: If one is not there, or a folder has no texts.
    """
    found: list[Source] = []
    passed_over = 0
    for one in given:
        if one.is_dir():
            inside = [Source(path, _stem(path.relative_to(one))) for path in _visible(one)]
            texts = [source for source in inside if source.is_text]
            if not texts:
                raise DocreError(
                    f"{one} has no .txt file in it; name files of documents one by one"
                )
            found += texts
            passed_over += len(inside) - len(texts)
        elif one.is_file():
            found.append(Source(one, _stem(Path(one.name))))
        else:
            raise DocreError(f"no such file or folder: {one}")
    if not found:
        raise DocreError("name at least one file or folder of documents")
    names = Counter(source.name for source in found if source.is_text)
    return Sources(
        tuple(Source(path, _stem(path) if names[name] > 1 else name) for path, name in found),
        passed_over,
    )


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


def _stem(path: Path) -> str:
    """Return a path without its ending, nor ``.gz``."""
    path = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return path.with_suffix("").as_posix()


def require_formats(files: Iterable[Source], format: str | None = None) -> None:
    """Look into each file, so that one that is no documents is not found out after hours.

    Args:
        files: As :func:`sources_of` names them.
        format: Name of the format of all that are not texts.

    Raises:
        DataError: If a file cannot be read or nobody knows its format.
    """
    for source in files:
        if not source.is_text:
            records_of(source.path, format)


def read_stream(
    files: Iterable[Source],
    format: str | None = None,
    on_error: OnError = "skip",
) -> Iterator[Asked]:
    """Yield the documents of files, the bad ones with what is wrong with them.

    Args:
        files: As :func:`sources_of` names them.
        format: Name of the format of all that are not texts; found out from each if left out.
        on_error: ``skip`` leaves bad documents to the caller, ``fix`` mends what can be mended.
    """
    seen: set[str] = set()
    number = 0
    skipped: Action = "fixed" if on_error == "fix" else "skipped"
    for source in files:
        of_file = _text(source) if source.is_text else _documents(source.path, format, on_error)
        for document, problems in of_file:
            here = [problem.at(source=str(source.path)) for problem in problems]
            if document is not None and document.id in seen:
                message = "another document has the same id"
                problem = Problem("duplicate-title", message, document.id, "id", action=skipped)
                here.append(problem.at(source=str(source.path)))
                document = _renamed(document, seen) if on_error == "fix" else None
            if document is not None:
                seen.add(document.id)
            yield Asked(number, document, tuple(here))
            number += 1


def _documents(
    path: Path, format: str | None, on_error: OnError
) -> Iterator[tuple[Document | None, list[Problem]]]:
    index = 0
    try:
        chosen, records = records_of(path, format)
        reader = DocumentReader(path, chosen, on_error=on_error)
        for record in records:
            yield reader.examine(index, record)
            index += 1
    except DataError as error:  # the file breaks off, or is gone since it was looked into
        yield None, [problem.at(action="skipped") for problem in error.problems]


def _text(source: Source) -> Iterator[tuple[Document | None, list[Problem]]]:
    try:
        with open_bytes(source.path) as file:
            data = file.read()
        document = Document.from_text(source.name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start:,}; save the file as UTF-8"
        yield None, [Problem("not-utf8", message, source.name, action="skipped")]
    except DataError as error:
        yield None, [one.at(document=source.name, action="skipped") for one in error.problems]
    else:
        yield document, []


def _renamed(document: Document, seen: set[str]) -> Document:
    number = 2
    while f"{document.id}#{number}" in seen:
        number += 1
    return replace(document, id=f"{document.id}#{number}")
