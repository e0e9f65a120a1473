"""The forms of published systems: ``result.json``, a submission, or found documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from docre.data.formats.official import result_entry, write_predictions
from docre.data.writing import write_array
from docre.pipeline.extraction import Extraction, margin_of
from docre.prediction_forms import extraction_entry
from docre.scoring import Prediction


def write_official(path: Path, extractions: Iterable[Extraction], found_entities: bool) -> None:
    """Write ``result.json`` or its zip; where entities were found, the published joint form."""
    if path.suffix == ".zip":
        # a server takes no more than fits into memory
        write_predictions(path, (one for each in extractions for one in predictions_of(each)))
        return
    entries: Iterator[dict[str, Any]]
    if found_entities:
        entries = (extraction_entry(one.document) for one in extractions)
    else:
        entries = (result_entry(one) for each in extractions for one in predictions_of(each))
    write_array(path, map(msgspec.json.encode, entries))


def predictions_of(extraction: Extraction) -> Iterator[Prediction]:
    """Yield triples as the metrics take them, with the margin as their score."""
    for one in extraction.document.relations or ():
        margin = margin_of(one)
        score = one.score if margin is None else margin
        yield Prediction(extraction.id, one.head, one.tail, one.relation, one.evidence or (), score)
