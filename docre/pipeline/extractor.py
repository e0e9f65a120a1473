"""A trained model as people use it: texts in, triples out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import overload

import torch

from docre.documents import Document
from docre.errors import DataError, DocreError, Problem
from docre.examining import examine
from docre.hub.contents import ModelContents, read_model
from docre.joint_model import JointModel
from docre.pipeline.batch_reader import BatchReader, Precision
from docre.pipeline.devices import device_named
from docre.pipeline.extraction import Extraction, probability_of
from docre.pipeline.finders.base import EntityFinder
from docre.pipeline.inputs import Asked
from docre.pipeline.outcome import Outcome

# Documents that are sorted by length together, and held at once.
CHUNK = 128
NO_ENTITIES, OWN_ENTITIES = "no-entities", "own-entities"
_WANTED = (
    "predict takes a text, a Document or a list of these, not {0!r}; docre.read_documents reads "
    "files"
)
_FIND = (
    "give entities, or a finder of entities: docre.load(MODEL, finder=...), "
    "docre predict MODEL FILES --finder ..."
)


class Extractor:
    """A trained model that reads documents; :func:`load` makes one.

    Args:
        contents: The model and what belongs to it.
        finder: Finds entities in documents without any; a joint model needs none.
        device: ``cpu``, ``cuda``, ``cuda:1``; a GPU if there is one, by default.
        precision: ``bf16`` computes in bfloat16 where that is safe.
        min_probability: Leave out triples that are less probable; needs a calibrated model.
        token_budget: Most padded tokens of a batch; by device if left out.
        pair_budget: Most entity pairs of a batch; likewise.

    Raises:
        DocreError: If a setting makes no sense.

    Attributes:
        contents: The model and what belongs to it.
        finds_entities: Whether entities of documents are found by the model itself.
    """

    def __init__(
        self,
        contents: ModelContents,
        finder: EntityFinder | None = None,
        device: str | torch.device | None = None,
        precision: Precision = "32",
        min_probability: float | None = None,
        token_budget: int | None = None,
        pair_budget: int | None = None,
    ) -> None:
        self.contents, self.finder = contents, finder
        self.finds_entities = isinstance(contents.model, JointModel) and (
            "mention" in contents.model.levels or "coreference" in contents.model.levels
        )
        if finder is not None and self.finds_entities:
            raise DocreError("finder: this model finds entities itself")
        if finder is not None and (isinstance(finder, str) or not isinstance(finder, EntityFinder)):
            raise DocreError(f"finder: {finder!r} has no method find(documents)")
        if min_probability is not None:
            if contents.calibration is None:
                raise DocreError(
                    "min_probability: this model is not calibrated, so its scores are no "
                    "probabilities; docre calibrate --run RUN fits them on development data"
                )
            if not 0 <= min_probability <= 1:
                raise DocreError(f"min_probability: {min_probability} is not between 0 and 1")
        self.min_probability = min_probability
        self._read = BatchReader(
            contents, device_named(device), precision, token_budget, pair_budget
        )

    @property
    def relations(self) -> tuple[str, ...]:
        """Names of the relations the model knows."""
        return tuple(self.contents.relations)

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types the model was trained with."""
        return self.contents.types

    # a text is also a list of letters, to a type checker
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        documents: str | Document,
        entities: Mapping[str, Iterable[tuple[int, int]]]
        | Iterable[Iterable[tuple[int, int]]]
        | None = None,
        types: Sequence[str] | None = None,
    ) -> Extraction: ...

    @overload
    def predict(self, documents: Iterable[str | Document]) -> list[Extraction]: ...

    def predict(
        self,
        documents: str | Document | Iterable[str | Document],
        entities: Mapping[str, Iterable[tuple[int, int]]]
        | Iterable[Iterable[tuple[int, int]]]
        | None = None,
        types: Sequence[str] | None = None,
    ) -> Extraction | list[Extraction]:
        """Return what is found in one document or in several.

        Args:
            documents: A text, a document, or a list of these.
            entities: Of one text: character spans of each entity's mentions, by name or in order.
            types: Of one text: the type of each entity.

        Raises:
            DataError: With all documents that nothing can be done with.
            DocreError: If a text has no entities and nobody is there to find them.
        """
        if isinstance(documents, (str, Document)):
            given = documents
            if isinstance(given, str):
                given = Document.from_text("text", given, entities or (), types=types)
            elif entities is not None or types is not None:
                raise DocreError("entities and types belong to a text; a document has its own")
            self._require_finder([given])
            return self._all([given])[0]
        if entities is not None or types is not None:
            raise DocreError("entities and types belong to one text, not to a list of documents")
        if not isinstance(documents, Iterable) or isinstance(documents, (bytes, Mapping)):
            raise DocreError(_WANTED.format(documents))
        listed = [_document(one, number) for number, one in enumerate(documents)]
        self._require_finder(listed)
        return self._all(listed)

    def stream(
        self, documents: Iterable[str | Document | Asked], chunk: int = CHUNK
    ) -> Iterator[Outcome]:
        """Yield what becomes of each document, in their order; a bad one does not stop the rest.

        Args:
            documents: Any number of them; only ``chunk`` are held at a time.
            chunk: Documents that are sorted by length together.
        """
        asked = iter(documents)
        while some := [*islice(asked, chunk)]:
            yield from self.read(some)

    def read(self, documents: Sequence[str | Document | Asked]) -> list[Outcome]:
        """Return what becomes of each of some documents that are read together."""
        listed = [
            one if isinstance(one, Asked) else _asked(one, number)
            for number, one in enumerate(documents)
        ]
        good = self._with_entities([one.document for one in listed if one.document is not None])
        found = iter(self._found(good))
        return [
            Outcome(one.name, None, one.problems) if one.document is None
            else self._outcome(one, next(found))
            for one in listed
        ]  # fmt: skip

    def _found(self, documents: Sequence[Document | DataError]) -> Iterator[Document | DataError]:
        read = iter(self._read([one for one in documents if isinstance(one, Document)]))
        for one in documents:
            yield one if isinstance(one, DataError) else next(read)

    def _outcome(self, asked: Asked, found: Document | DataError) -> Outcome:
        notes = asked.problems
        if isinstance(found, DataError):
            return Outcome(asked.name, None, (*notes, *found.problems))
        if not found.entities and not self.finds_entities:
            message = "the document has no entities, so there is nothing to relate"
            notes = (*notes, Problem(NO_ENTITIES, message, asked.name, severity="note"))
        if self.finds_entities and asked.document is not None and asked.document.entities:
            message = "its entities were not looked at: this model finds them itself"
            notes = (*notes, Problem(OWN_ENTITIES, message, asked.name, severity="note"))
        if self.min_probability is not None:
            kept = (
                one
                for one in found.relations or ()
                if (probability_of(one) or 0.0) >= self.min_probability
            )
            found = replace(found, relations=tuple(kept))
        return Outcome(asked.name, Extraction(found, self.contents.relations.descriptions), notes)

    def _with_entities(self, documents: list[Document]) -> list[Document | DataError]:
        """Let the finder look at documents without entities."""
        bare = [number for number, one in enumerate(documents) if not one.entities]
        if self.finder is None or not bare:
            return [*documents]
        result: list[Document | DataError] = [*documents]
        for number, found in zip(
            bare, self._asked_finder([documents[n] for n in bare]), strict=True
        ):
            result[number] = found
        return result

    def _asked_finder(self, documents: list[Document]) -> list[Document | DataError]:
        """Ask for all at once; where that fails one by one, so that one does not stop the rest."""
        assert self.finder is not None
        try:
            return [*_checked(self.finder.find(documents), documents)]
        except Exception as error:  # a finder may be anybody's code
            if len(documents) > 1:
                return [found for one in documents for found in self._asked_finder([one])]
            if isinstance(error, DataError):
                return [error]
            first = str(error).strip().partition("\n")[0]
            problem = Problem("finder-failed", f"{type(error).__name__}: {first}", documents[0].id)
            return [DataError([problem])]

    def _require_finder(self, documents: Sequence[Document]) -> None:
        bare = sum(not one.entities for one in documents)
        if bare and not self.finds_entities and self.finder is None:
            which = f"{bare} of {len(documents)} documents have" if len(documents) > 1 else "it has"
            raise DocreError(f"this model relates given entities, and {which} none: {_FIND}")

    def _all(self, documents: Sequence[Document]) -> list[Extraction]:
        outcomes = [*self.stream(documents)]
        problems = [
            one for outcome in outcomes if outcome.extraction is None for one in outcome.problems
        ]
        if problems:
            raise DataError(problems)
        return [outcome.extraction for outcome in outcomes if outcome.extraction is not None]

    def __repr__(self) -> str:
        kind = type(self.contents.model).__name__
        return f"Extractor({kind} from {self.contents.source}, {len(self.relations)} relations)"


def _document(given: object, number: int) -> Document:
    """Return what was given as a document."""
    if isinstance(given, str):
        return Document.from_text(f"text {number}", given)
    if not isinstance(given, Document):
        raise DocreError(_WANTED.format(given))
    return given


def _asked(given: object, number: int) -> Asked:
    """Return what was given as a document to read; one of files was looked at when it was read."""
    try:
        document = _document(given, number)
    except DataError as error:  # a text in which no document can be found
        return Asked(number, None, error.problems)
    problems = examine(document)
    if not problems:
        return Asked(number, document)
    name = document.id if isinstance(document.id, str) and document.id else f"#{number}"
    return Asked(number, None, tuple(one.at(document=name) for one in problems))


def _checked(found: Sequence[Document], asked: Sequence[Document]) -> Sequence[Document]:
    """Refuse what a finder returns if it is not the documents it was asked about."""
    if [one.id for one in found] != [one.id for one in asked]:
        raise ValueError("it did not return the documents it was given, in their order")
    problems = [problem for one in found for problem in examine(one)]
    if problems:
        raise DataError(problems)
    return found


def load(
    source: str | Path,
    *,
    finder: EntityFinder | str | None = None,
    device: str | None = None,
    precision: Precision = "32",
    min_probability: float | None = None,
    revision: str | None = None,
    offline: bool = False,
    allow: Sequence[str] = (),
    token_budget: int | None = None,
    pair_budget: int | None = None,
) -> Extractor:
    """Load a trained model to predict with; no code of the model's folder is run.

    Args:
        source: Run folder, exported folder, checkpoint, or name on the model hub.
        finder: Finds entities in texts without any: an object, or what ``docre predict --finder``
            takes.
        device: ``cpu``, ``cuda``, ``cuda:1``; a GPU if there is one, by default.
        precision: ``bf16`` computes in bfloat16 where that is safe.
        min_probability: Leave out triples that are less probable; needs a calibrated model.
        revision: Of a model on the hub: branch, tag or commit.
        offline: Never use the network.
        allow: Packages beside docre whose classes the model may be made of.
        token_budget: Most padded tokens of a batch; by device if left out.
        pair_budget: Most entity pairs of a batch; likewise.

    Raises:
        DocreError: If there is no such model, or it is damaged.
    """
    from docre.pipeline.finders.named import finder_named

    contents = read_model(source, revision=revision, offline=offline, allow=allow)
    if isinstance(finder, str):
        finder = finder_named(finder, types=contents.types, device=device, offline=offline)
    return Extractor(
        contents, finder, device, precision, min_probability, token_budget, pair_budget
    )
