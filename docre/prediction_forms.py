"""What files of predictions look like, for each kind of prediction a model makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec

from docre.data.formats.official import write_predictions
from docre.data.formats.own import encode
from docre.data.writing import write_array, write_lines
from docre.documents import Document
from docre.prediction_lines import entity_names, prediction_line
from docre.scoring import Prediction

_PREDICTIONS = msgspec.json.Decoder(list[Prediction])


class PredictionRecord(NamedTuple):
    """What is predicted in one document, ready to be written.

    Args:
        document: Its id.
        size: How much of it there is, in the unit of the form.
        line: Bytes without a line break.
    """

    document: str
    size: int
    line: bytes


class FoundDocuments:
    """Documents with what was found in them, in the order of a batch.

    Not a ``Sequence``: Lightning takes collections apart to move what is in them between devices,
    and breaks on frozen dataclasses.

    Args:
        documents: One for each document of the batch.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = tuple(documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)

    def __getitem__(self, number: int) -> Document:
        return self._documents[number]


class PredictionForm(ABC):
    """How one kind of prediction is written: a line for each document, then a file of the lines.

    A model has the form of what its ``predict_step`` returns as attribute ``prediction_form``.

    Attributes:
        suffixes: Endings of the files there are.
        unit: What is counted.
    """

    suffixes: ClassVar[tuple[str, ...]]
    unit: ClassVar[str]

    @abstractmethod
    def records(
        self,
        suffix: str,
        prediction: Any,
        batch: Any,
        documents: Mapping[str, Document],
        descriptions: Mapping[str, str],
    ) -> Iterator[PredictionRecord]:
        """Yield a record for each document of a batch.

        Args:
            suffix: Of the file that the lines are for.
            prediction: What the model's ``predict_step`` returned.
            batch: The batch.
            documents: The documents that are read, by id.
            descriptions: Names of relations for people.
        """

    @abstractmethod
    def write(self, path: Path, lines: Iterable[bytes]) -> None:
        """Write a file, whole or not at all.

        Args:
            path: Ends in one of the suffixes.
            lines: That of each document, in order.
        """


class TripleForm(PredictionForm):
    """Triples of given entities: ``.jsonl`` with names, else the official ``result.json``."""

    suffixes = (".jsonl", ".json", ".zip")
    unit = "predictions"

    def records(
        self,
        suffix: str,
        prediction: Any,
        batch: Any,
        documents: Mapping[str, Document],
        descriptions: Mapping[str, str],
    ) -> Iterator[PredictionRecord]:
        """Yield a record for each document of a batch; see the base class."""
        found: dict[str, list[Any]] = {name: [] for name in batch.document_ids}
        for triple in prediction:
            found[triple.document].append(triple)
        for name, listed in found.items():
            line: Any = [triple.prediction for triple in listed]
            if suffix == ".jsonl":
                names = entity_names(documents[name]) if name in documents else ()
                line = prediction_line(name, listed, names, descriptions)
            yield PredictionRecord(name, len(listed), msgspec.json.encode(line))

    def write(self, path: Path, lines: Iterable[bytes]) -> None:
        """Write a file; see the base class."""
        if path.suffix == ".jsonl":
            write_lines(path, lines)
        else:
            write_predictions(path, chain.from_iterable(map(_PREDICTIONS.decode, lines)))


class DocumentForm(PredictionForm):
    """Whole documents with what was found in them.

    ``.jsonl`` is docre's own format, with scores; ``.json`` is the form of published joint
    extraction, see :func:`extraction_entry`, in which documents are told by their order alone.
    """

    suffixes = (".jsonl", ".json")
    unit = "documents"

    def records(
        self,
        suffix: str,
        prediction: Any,
        batch: Any,
        documents: Mapping[str, Document],
        descriptions: Mapping[str, str],
    ) -> Iterator[PredictionRecord]:
        """Yield a record for each document of a batch; see the base class."""
        for name, found in zip(batch.document_ids, prediction, strict=True):
            own = suffix == ".jsonl"
            line = encode(found) if own else msgspec.json.encode(extraction_entry(found))
            yield PredictionRecord(name, 1, line)

    def write(self, path: Path, lines: Iterable[bytes]) -> None:
        """Write a file; see the base class."""
        if path.suffix == ".jsonl":
            write_lines(path, lines)
            return
        write_array(path, lines)


def extraction_entry(document: Document) -> dict[str, Any]:
    """Return a document's words, mentions, entities and relations as published code writes them.

    Mentions are spans of words counted over the document, in their order; entities list mentions,
    relations have entities as ``head`` and ``tail``.
    """
    first = [0, *accumulate(map(len, document.sentences))]
    entities = [
        [(first[m.sentence] + m.start, first[m.sentence] + m.end) for m in entity.mentions]
        for entity in document.entities
    ]
    spans = sorted({span for mentions in entities for span in mentions})
    number = {span: index for index, span in enumerate(spans)}
    return {
        "tokens": list(chain.from_iterable(document.sentences)),
        "mentions": [{"start": start, "end": end} for start, end in spans],
        "entities": [
            {"mentions": sorted({number[span] for span in mentions}), "type": entity.type}
            for entity, mentions in zip(document.entities, entities, strict=True)
        ],
        "relations": [
            {"head": one.head, "tail": one.tail, "type": one.relation}
            for one in document.relations or ()
        ],
    }
