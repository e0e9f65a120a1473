"""Fused triples as a file, in the forms of ``docre predict``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from docre.data.formats.official import write_predictions
from docre.data.writing import atomic_file
from docre.documents import Document
from docre.prediction_lines import entity_names, prediction_line

if TYPE_CHECKING:
    from docre.triples import PredictedTriple

SUFFIXES = (".jsonl", ".json", ".zip")


def write_fused(
    path: Path,
    documents: Sequence[Document],
    triples: Iterable[PredictedTriple],
    descriptions: Mapping[str, str],
) -> None:
    """Write triples: ``.jsonl`` with names and evidence, else the official ``result.json``.

    In both the margin is the fused score. Triples come document by document, sorted.

    Args:
        path: Ends in one of ``SUFFIXES``.
        documents: All documents that were read, also those without a triple.
        triples: What was kept.
        descriptions: Names of the relations for people.
    """
    found: dict[str, list[PredictedTriple]] = {one.id: [] for one in documents}
    for triple in triples:
        found[triple.document].append(triple)
    for listed in found.values():
        listed.sort(key=lambda one: one[1:4])
    if path.suffix != ".jsonl":
        write_predictions(path, (one.prediction for of in found.values() for one in of))
        return
    with atomic_file(path) as file:
        for document in documents:
            listed = found[document.id]
            line = prediction_line(document.id, listed, entity_names(document), descriptions)
            file.write(msgspec.json.encode(line) + b"\n")
