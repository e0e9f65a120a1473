"""One HTML page to read what was found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docre.data.writing import atomic_file
from docre.pipeline.extraction import Extraction, each_once
from docre.report.content import page_content
from docre.report.page import render_page
from docre.report.reading import PredictedRelations


def write_page(path: Path, extractions: Iterable[Extraction], found_entities: bool = False) -> None:
    """Write the page of ``docre report``, without gold; it holds all documents.

    Raises:
        DataError: If two documents have one id.
    """
    relations, documents = {}, {}
    descriptions: dict[str, str] = {}
    for one in each_once(extractions):
        relations[one.id] = [*(one.document.relations or ())]
        documents[one.id] = one.document
        descriptions.update(one.descriptions)
    predicted = PredictedRelations(relations, documents, descriptions)
    page = render_page(page_content(None, predicted, False), f"{path.name} - docre predict")
    with atomic_file(path) as file:
        file.write(page.encode())
