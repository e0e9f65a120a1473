"""The scores as a torchmetrics metric: exact on any number of processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from docre.scoring.conventions import OFFICIAL, Convention
from docre.scoring.gold import Gold
from docre.scoring.predictions import Ints, Prediction, PredictionRows
from docre.scoring.relation_groups import RelationGroup
from docre.scoring.scores import Scores, score_rows

# document, number of predictions, number of evidence sentences
_HEADER = 3


class DocREScore(Metric):
    """Official scores of the documents that were seen.

    Only documents passed to :meth:`update` are scored, also those without a prediction, so a run
    over part of the data is judged on that part. A document that comes twice, as padding of a
    distributed sampler makes it, counts once, with its first predictions.

    Args:
        gold: The compiled labels. Held, not a state: every process compiles or is given its own.
        relation_groups: Groups of relations to score beside the others.
        convention: How to count; the default is the benchmark's own way.
        kwargs: Arguments of :class:`torchmetrics.Metric`.

    Example:
        >>> from docre.documents import Document
        >>> document = Document.from_text(
        ...     "demo", "Ada was born in London.", {"ada": [(0, 3)], "london": [(16, 22)]},
        ...     relations=[(0, 1, "born in")],
        ... )
        >>> metric = DocREScore(Gold.compile([document]))
        >>> metric.update({"demo": [Prediction("demo", 0, 1, "born in")]})
        >>> float(metric.compute()["f1"])
        1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    rows: list[Tensor]

    def __init__(
        self,
        gold: Gold,
        relation_groups: Collection[RelationGroup] = (),
        convention: Convention = OFFICIAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gold = gold
        self.relation_groups = tuple(relation_groups)
        self.convention = convention
        self._scores: Scores | None = None
        self.add_state("rows", default=[], dist_reduce_fx="cat")

    @property
    def can_score(self) -> bool:
        """Whether the gold has labels; :meth:`compute` raises without."""
        return self.gold.can_score

    def update(
        self,
        documents: Mapping[str, Iterable[Prediction]] | Sequence[str],
        predictions: Iterable[Prediction] = (),
    ) -> None:
        """Take the predictions for some documents.

        Args:
            documents: Predictions by document id, or ids of all documents that were looked at.
            predictions: With ids, the predictions for those documents in any order.

        Raises:
            ValueError: For a prediction whose document is not among those given.
        """
        by_document = _by_document(documents, predictions)
        pieces = [
            stream(self.gold.document_ids[name], self.gold.encode(listed))
            for name, listed in by_document.items()
        ]
        if pieces:
            self.rows.append(torch.from_numpy(np.concatenate(pieces)).to(self.device))

    def scores(self) -> Scores:
        """Return all scores; like :meth:`compute` it gathers, so every process has to call it.

        Raises:
            UnlabelledError: If the gold has no labels.
        """
        self.compute()
        assert self._scores is not None
        return self._scores

    def _score(self) -> Scores:
        self.gold.require_labels()
        kept = self.rows if isinstance(self.rows, list) else [self.rows]
        flat = torch.cat(kept) if kept else torch.empty(0, dtype=torch.int64)
        rows, documents = unstream(flat.cpu().numpy())
        size = len(self.gold.documents)
        seen = np.zeros(size, bool)
        seen[documents[(documents >= 0) & (documents < size)]] = True
        return score_rows(rows, self.gold, self.relation_groups, self.convention, seen)

    def compute(self) -> dict[str, Tensor]:
        """Return all scores under flat names, as float64 scalars.

        Raises:
            UnlabelledError: If the gold has no labels.
        """
        self._scores = self._score()
        flat = self._scores.to_dict()
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in flat.items()}

    def sync(self, *args: Any, **kwargs: Any) -> None:
        """Gather from all processes; one that saw nothing gives an empty piece of the right type.

        Left to itself torchmetrics makes up a float32 piece, which cannot be gathered with int64.
        """
        if isinstance(self.rows, list) and not self.rows:
            self.rows.append(torch.empty(0, dtype=torch.int64, device=self.device))
        super().sync(*args, **kwargs)


def _by_document(
    documents: Mapping[str, Iterable[Prediction]] | Sequence[str],
    predictions: Iterable[Prediction],
) -> dict[str, list[Prediction]]:
    if isinstance(documents, Mapping):
        grouped = {name: list(listed) for name, listed in documents.items()}
        if any(p.document != name for name, listed in grouped.items() for p in listed):
            raise ValueError("a prediction is filed under another document than its own")
        return grouped
    grouped = {name: [] for name in documents}
    for prediction in predictions:
        if prediction.document not in grouped:
            message = f"prediction for {prediction.document!r}, which is not among the documents"
            raise ValueError(message)
        grouped[prediction.document].append(prediction)
    return grouped


def stream(document: int, rows: PredictionRows) -> Ints:
    """Put the rows of one document into a piece that says itself where it ends."""
    header = np.array([document, len(rows.head), len(rows.evidence)], np.int64)
    return np.concatenate(
        [header, rows.head, rows.tail, rows.relation, rows.evidence_count, rows.evidence]
    )


def unstream(flat: Ints) -> tuple[PredictionRows, Ints]:
    """Take a stream apart; of a document that comes again only the first piece is kept.

    Returns:
        The rows, and the number of every document in the stream.
    """
    columns: list[list[Ints]] = [[np.zeros(0, np.int64)] for _ in PredictionRows._fields]
    documents: dict[int, None] = {}
    at = 0
    while at < len(flat):
        document, count, sentences = flat[at : at + _HEADER].tolist()
        at += _HEADER
        end = at + 4 * count + sentences
        if document not in documents:
            documents[document] = None
            parts = np.split(flat[at:end], np.arange(1, 5) * count)
            for column, part in zip(columns, [np.full(count, document), *parts], strict=True):
                column.append(part)
        at = end
    return PredictionRows(*map(np.concatenate, columns)), np.array(list(documents), np.int64)
