"""``docre data convert``: rewrite a file of documents in another format, or mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from docre.data.formats.base import Format
from docre.data.formats.chemdisgene import ChemDisGenePubTatorFormat
from docre.data.progress import progress_bar
from docre.data.reading import DocumentReader, OnError, ReadReport
from docre.data.shell_reader import shell_reader
from docre.data.writing import atomic_file, write_documents
from docre.documents import Document
from docre.errors import DataError, Problem


def convert(
    file: str,
    output: str,
    to: str = "docre",
    format: str | None = None,
    relationships: list[str] | None = None,
    relations: str | None = None,
    types: list[str] | None = None,
    on_error: OnError = "fail",
    report: str | None = None,
    limit: int | None = None,
) -> int:
    """Rewrite a file of documents in another format, or mend it, and say what got lost.

    Args:
        file: The file to read.
        output: The file to write; .jsonl gives JSON lines, .gz is packed.
        to: Format to write: docre, docred, chemdisgene, chemdisgene-pubtator, pubtator or eog.
            The relations of chemdisgene-pubtator go to OUTPUT with the ending .relationships.tsv.
        format: Format to read; found out from the file if left out.
        relationships: Relationship files that belong to chemdisgene-pubtator.
        relations: Relations to accept: a JSON file, or 'docred' for its 96. All if left out.
        types: Entity types to accept. All if left out.
        on_error: fail stops at a file with problems, fix mends, skip leaves documents out.
        report: Where the report goes; OUTPUT.report.json if left out.
        limit: Convert the first documents only.

    Raises:
        DataError: If the file cannot be read, or would be overwritten.
    """
    console = Console()
    beside = None
    if to == "chemdisgene-pubtator":
        beside = Path(output.removesuffix(".gz")).with_suffix(".relationships.tsv")
    for given in (file, *(relationships or ())):
        for target in (Path(output), *([beside] if beside else [])):
            _require_other_file(Path(given), target)

    def reader(met: ReadReport) -> DocumentReader:
        return shell_reader(file, format, relationships, relations, types, on_error, met, limit)

    met = ReadReport()
    source = reader(met)
    with progress_bar(f"Converting {source.path.name}") as advance:

        def counted() -> Iterator[Document]:
            for document in source:
                advance(1)
                yield document

        written = write_documents(output, counted(), to)
    console.print(f"{written:,} documents written to {escape(output)} ({to})", soft_wrap=True)
    if met.errors:
        path = Path(report or f"{output}.report.json")
        met.write(path)
        place = escape(str(path))
        console.print(
            f"{met.fixed:,} fixed, {met.skipped:,} skipped; all of it is in {place}", soft_wrap=True
        )
    if beside is not None:
        _write_relationships(beside, reader(ReadReport()).documents())
        console.print(f"their relations written to {escape(str(beside))}", soft_wrap=True)
        written_as: Format | str = ChemDisGenePubTatorFormat(relationships=(beside,))
    else:
        written_as = to
    back = DocumentReader(output, written_as, on_error="skip")
    lost = lost_fields(reader(ReadReport()).documents(), back.documents())
    if lost:
        listed = ", ".join(f"{name} ({count:,} documents)" for name, count in lost.most_common())
        console.print(f"[yellow]{to} does not hold all of it:[/yellow] {listed}", soft_wrap=True)
    return 0


def _require_other_file(given: Path, target: Path) -> None:
    """Refuse to write over what is read: it may be the only copy."""
    try:
        same = given.samefile(target)
    except (OSError, ValueError):  # one of them is not there, and reading says which
        return
    if same:
        message = "the output would replace the input; give it another name"
        raise DataError([Problem("same-file", message, source=str(target))])


def _write_relationships(path: Path, documents: Iterator[Document]) -> None:
    with atomic_file(path) as file:
        for piece in ChemDisGenePubTatorFormat().render_relationships(documents):
            file.write(piece)


def lost_fields(before: Iterator[Document], after: Iterator[Document]) -> Counter[str]:
    """Compare documents with what was read back, and count what is not the same, by field.

    A format that has no place for something says nothing when it is written, so reading back is
    the only way to know.
    """
    lost: Counter[str] = Counter()
    try:
        for was, now in zip_longest(before, after):
            if was is None or now is None:
                lost["whole document"] += 1
                continue
            lost.update(name for name, value in _told(was).items() if value != _told(now)[name])
    except DataError as error:
        lost[f"unreadable: {error.problems[0].message}"] += 1
    return lost


def _told(document: Document) -> dict[str, object]:
    """Return what a person would miss, part by part."""
    labels = document.relations
    entities = document.entities
    return {
        "id": document.id,
        "sentences and words": document.sentences,
        "raw text": document.text,
        "mentions": [[(m.sentence, m.start, m.end) for m in e.mentions] for e in entities],
        "entity types": [e.type for e in entities],
        "entity ids": [e.id for e in entities],
        "relations": labels and [(r.head, r.tail, r.relation) for r in labels],
        "evidence": labels and [r.evidence for r in labels],
        "scores": labels and [r.score for r in labels],
        "candidate pairs": document.candidates,
    }
