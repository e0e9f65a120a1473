"""A table with a row a triple, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from docre.data.writing import atomic_file
from docre.pipeline.extraction import Extraction, TextEntity, Triple
from docre.spreadsheet_text import as_cell

COLUMNS = (
    *("document", "head", "head_name", "head_type", "relation", "relation_name"),
    *("tail", "tail_name", "tail_type", "score", "margin", "probability", "evidence"),
    *("head_mentions", "tail_mentions"),
)


def write_table(
    path: Path, extractions: Iterable[Extraction], found_entities: bool = False
) -> None:
    """Write a CSV file: mentions as ``start-end`` in characters, evidence as sentence numbers."""
    with atomic_file(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for extraction in extractions:
            for triple in extraction.triples:
                writer.writerow([as_cell(extraction.id), *_cells(triple)])
        text.detach()  # what it holds is written; the file is closed by who opened it


def _cells(one: Triple) -> list[object]:
    head, tail = one.head, one.tail
    numbers = ("" if x is None else x for x in (one.score, one.margin, one.probability))
    return [
        *(head.index, as_cell(head.name), as_cell(head.type)),
        *(as_cell(one.relation), as_cell(one.relation_name)),
        *(tail.index, as_cell(tail.name), as_cell(tail.type)),
        *(*numbers, " ".join(map(str, one.evidence))),
        *(_places(head), _places(tail)),
    ]


def _places(entity: TextEntity) -> str:
    return " ".join(f"{mention.start}-{mention.end}" for mention in entity.mentions)
