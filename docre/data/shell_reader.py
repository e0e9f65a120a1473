"""The reader that the options of the shell commands describe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docre.data.formats.base import Format
from docre.data.reading import DocumentReader, OnError, ReadReport
from docre.data.relations import RelationSet


def shell_reader(
    file: str,
    format: str | None,
    relationships: Sequence[str] | None,
    relations: str | None,
    types: Sequence[str] | None,
    on_error: OnError,
    report: ReadReport,
    limit: int | None,
) -> DocumentReader:
    """Return the reader of a file.

    Args:
        file: The file.
        format: Name of its format, if it is known.
        relationships: Relationship files; they make it ChemDisGene's PubTator form.
        relations: A relation file, or ``docred`` for DocRED's relations.
        types: Known entity types.
        on_error: What to do about problems.
        report: Filled while reading.
        limit: Number of documents to read.
    """
    chosen: Format | str | None = format
    if relationships:
        from docre.data.formats.chemdisgene import ChemDisGenePubTatorFormat

        chosen = ChemDisGenePubTatorFormat(relationships=tuple(map(Path, relationships)))
    known = None
    if relations is not None:
        known = RelationSet.docred() if relations == "docred" else RelationSet.from_file(relations)
    return DocumentReader(
        file,
        chosen,
        relations=known,
        types=types,
        on_error=on_error,
        report=report,
        limit=limit,
    )
