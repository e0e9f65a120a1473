"""A model run over some documents at once, each of which may go wrong by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal, cast, get_args

import numpy as np
import torch

from docre.data.columns import to_record_batch
from docre.data.examples import examples_of
from docre.data.feature_table import FeatureTable
from docre.data.modules.settings import BatchSettings
from docre.data.pieces import Pieces
from docre.data.sampling import pack_by_budget
from docre.documents import Document, Relation
from docre.errors import DataError, DocreError, Problem
from docre.hub.contents import ModelContents
from docre.joint_model import JointModel
from docre.model import DocREModel
from docre.pipeline.heap import give_back_memory

Precision = Literal["32", "bf16"]
_TRIM_EVERY = 4
_log = logging.getLogger(__name__)
# Padded tokens and pairs of a batch: more gains nothing on a processor, and a GPU has room.
_BUDGETS = {"cpu": (2048, 4096), "cuda": (32768, 65536)}


class BatchReader:
    """Reads documents with a model, those of like length together.

    Args:
        contents: The model and what belongs to it.
        device: Where it runs.
        precision: ``bf16`` computes in bfloat16 where that is safe.
        token_budget: Most padded tokens of a batch; by device if left out.
        pair_budget: Most entity pairs of a batch; likewise.

    Raises:
        DocreError: If the model is neither a pair model nor a joint one.
    """

    def __init__(
        self,
        contents: ModelContents,
        device: torch.device,
        precision: Precision = "32",
        token_budget: int | None = None,
        pair_budget: int | None = None,
    ) -> None:
        if not isinstance(contents.model, (DocREModel, JointModel)):
            kind = type(contents.model).__name__
            raise DocreError(f"docre predicts with a DocREModel or a JointModel, not with a {kind}")
        self.model = contents.model.to(device).eval()
        self.device, self.precision = device, precision
        if precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise DocreError(f"precision: {precision!r} is none of {known}")
        tokens, pairs = _BUDGETS.get(device.type, _BUDGETS["cuda"])
        for name, value in (("token_budget", token_budget), ("pair_budget", pair_budget)):
            if value is not None and value < 1:
                raise DocreError(f"{name}: must be at least 1, it is {value}")
        settings = BatchSettings(
            token_budget=token_budget or tokens, pair_budget=pair_budget or pairs
        )
        self.settings, self.calibration = settings, contents.calibration
        examples = examples_of(self.model)
        pieces = Pieces(contents.tokenizer)
        self._kind = examples.kind
        self._rows = examples.row_maker(
            pieces, contents.relations, contents.types, contents.features
        )
        self._collate = examples.collate(pieces, settings)

    def __call__(self, documents: Sequence[Document]) -> list[Document | DataError]:
        """Return each document with what was found in it, or what went wrong.

        Relations that a document has are not looked at.
        """
        results: list[Document | DataError | None] = [None] * len(documents)
        # two documents of one name are two documents: here they are told by number
        numbered = {
            number: replace(one, id=str(number), relations=None)
            for number, one in enumerate(documents)
            if self._has_something_to_read(one)
        }
        rows = dict(self._featurized(numbered, results))
        for count, batch in enumerate(self._batches(rows), 1):
            for number, found in self._read(batch, rows, numbered):
                results[number] = found
            # every few: what was given back has to be asked for again
            if self.device.type == "cpu" and count % _TRIM_EVERY == 0:
                give_back_memory()
        if self.device.type == "cpu":
            give_back_memory()
        return [_named(result, one) for result, one in zip(results, documents, strict=True)]

    def _has_something_to_read(self, document: Document) -> bool:
        return isinstance(self.model, JointModel) or document.num_pairs > 0

    def _featurized(
        self, documents: dict[int, Document], results: list[Document | DataError | None]
    ) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield the rows of documents; note the problems of those that have none."""
        left = dict(documents)
        while left:
            try:
                yield from zip(left, self._rows([*left.values()]), strict=True)
                return
            except DataError as error:
                bad = {problem.document for problem in error.problems} & {str(n) for n in left}
                if not bad:
                    raise
                for name in bad:
                    mine = [one for one in error.problems if one.document == name]
                    results[int(name)] = DataError(mine, error.hint)
                    del left[int(name)]

    def _batches(self, rows: dict[int, tuple[Any, ...]]) -> list[list[int]]:
        """Return the numbers of documents that are read together, longest first.

        A batch that does not fit into memory then fails before time was spent on the others.
        """
        numbers = np.array([*rows], dtype=np.int64)
        if not len(numbers):
            return []
        tokens = np.array([cast(Any, row).num_tokens for row in rows.values()], dtype=np.int64)
        pairs = np.array([cast(Any, row).num_pairs for row in rows.values()], dtype=np.int64)
        order = np.argsort(-tokens, kind="stable")
        budgets = self.settings.token_budget, self.settings.pair_budget
        return [numbers[batch].tolist() for batch in pack_by_budget(order, tokens, pairs, *budgets)]

    def _read(
        self, numbers: list[int], rows: dict[int, tuple[Any, ...]], documents: dict[int, Document]
    ) -> Iterator[tuple[int, Document | DataError]]:
        """Yield what is found in a batch; one that fails is read in halves."""
        try:
            found = self._predicted(numbers, rows, documents)
        except (RuntimeError, ValueError, DocreError) as error:
            if _is_broken_device(error):
                raise  # nothing will work from here on, and nothing is lost
            if len(numbers) > 1:
                _log.info("a batch of %d documents failed and is halved: %s", len(numbers), error)
                half = len(numbers) // 2
                yield from self._read(numbers[:half], rows, documents)
                yield from self._read(numbers[half:], rows, documents)
            elif isinstance(error, DataError):
                yield numbers[0], error
            else:
                first = str(error).strip().partition("\n")[0]
                kind = "" if isinstance(error, DocreError) else f"{type(error).__name__}: "
                # it speaks of a document by its number here; the problem says which one that is
                first = first.replace(f"document '{numbers[0]}'", "the document")
                yield numbers[0], DataError([Problem("model-failed", f"{kind}{first}")])
            return
        yield from zip(numbers, found, strict=True)

    def _predicted(
        self, numbers: list[int], rows: dict[int, tuple[Any, ...]], documents: dict[int, Document]
    ) -> list[Document]:
        table = FeatureTable.from_batches(
            [to_record_batch([rows[number] for number in numbers], self._kind)], self._kind
        )
        batch = self._collate(table[range(len(numbers))]).to(self.device)
        mine = {str(number): documents[number] for number in numbers}
        with torch.inference_mode(), self._precision():
            if isinstance(self.model, JointModel):
                return [self._with_margins(one) for one in self.model.extract(batch, mine)]
            triples = self.model.predict_step(batch, 0)
        found: dict[str, list[Relation]] = {name: [] for name in mine}
        chances = self._probabilities([triple.margin for triple in triples])
        for triple, chance in zip(triples, chances, strict=True):
            extra = {"margin": round(triple.margin, 4)} | chance
            relation = Relation(
                triple.head,
                triple.tail,
                triple.relation,
                tuple(triple.evidence),
                round(triple.score, 4),
                extra,
            )
            found[triple.document].append(relation)
        return [replace(one, relations=tuple(found[name])) for name, one in mine.items()]

    def _with_margins(self, document: Document) -> Document:
        """Return what a joint model found, with margins and calibrated probabilities."""
        if document.relations is None:
            return document
        from docre.calibration import probability_margins

        threshold = cast(JointModel, self.model).thresholds.relation
        scores = np.array([one.score or 0.0 for one in document.relations])
        margins = probability_margins(scores, threshold).tolist()
        relations = (
            replace(one, extra={"margin": round(margin, 4)} | chance)
            for one, margin, chance in zip(
                document.relations, margins, self._probabilities(margins), strict=True
            )
        )
        return replace(document, relations=tuple(relations))

    def _probabilities(self, margins: Sequence[float]) -> list[dict[str, float]]:
        if self.calibration is None:
            return [{}] * len(margins)
        chances = self.calibration.probability(np.array(margins, dtype=np.float64))
        return [{"probability": round(chance, 4)} for chance in chances.tolist()]

    def _precision(self) -> AbstractContextManager[Any]:
        if self.precision == "32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def _is_broken_device(error: Exception) -> bool:
    """Tell whether a GPU failed for good, and not for want of memory."""
    return "CUDA error" in str(error) and not isinstance(error, torch.OutOfMemoryError)


def _named(result: Document | DataError | None, asked: Document) -> Document | DataError:
    """Return a result under the name of the document that was asked for."""
    if result is None:  # there is nothing to relate
        return replace(asked, relations=())
    if isinstance(result, DataError):
        return DataError((one.at(document=asked.id) for one in result.problems), result.hint)
    return replace(result, id=asked.id)
