"""What joint models are shown of documents."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from docre.data.columns import RowKind, RowMaker
from docre.data.examples import Examples
from docre.data.feature_table import FeatureTable, Rows
from docre.data.features import FeatureSettings
from docre.data.pieces import Pieces
from docre.data.relations import RelationSet
from docre.data.sampling import DocumentBatchSampler, distributed_place
from docre.documents import Document
from docre.errors import DataError, DocreError, Problem
from docre.joint.sampling import NegativeCounts
from docre.joint_data.collate import CandidateCollate, DrawingCollate
from docre.joint_data.epochs import EpochBatchSampler
from docre.joint_data.rows import JOINT_ROWS, JointFeaturizer, JointRowSettings
from docre.neutral_words import neutral_document

if TYPE_CHECKING:
    from docre.data.modules.settings import BatchSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JointExamples(Examples):
    """Plain documents, in which mentions, entities and relations are to be found.

    Training batches have a draw of what is not true beside all that is, new in each epoch; others
    have all candidates. Pairs of a batch are the ordered pairs of annotated entities, whatever
    candidate pairs a data set names.

    Of the data's settings for features, ``markers`` and ``source`` have no meaning here: nobody
    knows yet what to mark, and each word is cut into pieces by itself.

    Args:
        max_span_words: Most words of a candidate.
        negatives: How much a draw has of what is not true; the defaults of the class if left out.
        special_tokens: Whether the tokenizer's special tokens are put around a document; the
            published systems do without.
        types: Whether entity types are learnt; training entities then need one that the data knows.
            A model without a head of types switches this off.
        mention_pairs: Whether training batches have the mention pairs of their entity pairs, which
            take time and memory. Only some relation heads read them
            (:attr:`docre.joint.RelationHead.reads_mention_pairs`); a model without a head of
            relations switches this off.
    """

    max_span_words: int = 10
    negatives: NegativeCounts | None = None
    special_tokens: bool = True
    types: bool = True
    mention_pairs: bool = True

    ignores_unknown_labels: ClassVar[bool] = True
    kind: ClassVar[RowKind] = JOINT_ROWS
    sampler: ClassVar[type[DocumentBatchSampler]] = EpochBatchSampler

    def __post_init__(self) -> None:
        if self.max_span_words < 1:
            raise ValueError(f"max_span_words must be at least 1, not {self.max_span_words}")

    def row_maker(
        self,
        pieces: Pieces,
        relations: RelationSet,
        types: Sequence[str],
        settings: FeatureSettings,
    ) -> RowMaker:
        """Return what turns documents into rows.

        Raises:
            DocreError: If documents are to be cut or aligned as published: both lose mentions.
        """
        if settings.truncation == "cut":
            raise DocreError(
                "data.features.truncation: 'cut' would lose words in which mentions are to be "
                "found; choose 'window' or 'error' for a joint model"
            )
        if settings.alignment == "published":
            raise DocreError(
                "data.features.alignment: 'published' is about marked entities; a joint model has "
                "none, choose 'corrected'"
            )
        most = settings.max_tokens if settings.truncation == "error" else None
        chosen = JointRowSettings(self.special_tokens, most)
        return JointFeaturizer(pieces, relations, types, chosen)

    def collate(self, pieces: Pieces, settings: BatchSettings) -> Callable[[Rows], Any]:
        """Return what makes a :class:`~docre.joint.batch.JointBatch` with all candidates."""
        _require_sense(settings)
        return CandidateCollate(pieces.pad_id, self.max_span_words)

    def training_collate(
        self, pieces: Pieces, settings: BatchSettings, seed: int
    ) -> Callable[[Rows], Any]:
        """Return what makes a :class:`~docre.joint.batch.JointBatch` with a drawn sample."""
        _require_sense(settings)
        negatives = self.negatives or NegativeCounts()
        most, pairs = self.max_span_words, self.mention_pairs
        return DrawingCollate(pieces.pad_id, most, negatives, seed, pairs)

    def learnable(self, table: FeatureTable) -> FeatureTable:
        """Return rows to learn from; refuse entities without a type where types are learnt.

        Mentions that are longer than any candidate are learnt, but never found: the log says how
        many there are.
        """
        if self.types:
            _require_types(table)
        self._say_longer(table)
        return table

    def _say_longer(self, table: FeatureTable) -> None:
        starts, ends = table.lists("mention_start"), table.lists("mention_end")
        sizes = np.concatenate(
            [np.zeros(0, np.int64), *(b - a for a, b in zip(starts, ends, strict=True))]
        )
        longer = int((sizes > self.max_span_words).sum())
        if longer and distributed_place()[0] == 0:
            _log.warning(
                "%d of %d mentions to learn from have more than %d words (max_span_words): no "
                "candidate is as long, so such mentions are never found",
                longer,
                len(sizes),
                self.max_span_words,
            )

    def document(self, document: Document) -> Document:
        """Return a document on the words of its row, see :func:`neutral_document`."""
        return neutral_document(document)


def _require_sense(settings: BatchSettings) -> None:
    """Raise for settings of batches that mean nothing without given pairs."""
    if settings.pair_budget is not None and settings.token_budget is None:
        raise DocreError(
            "data.batches.pair_budget: plain texts have no pairs, so any number of them would be "
            "one batch; give data.batches.token_budget, alone or with it, or a batch_size instead"
        )
    if settings.pair_order != "row_major":
        raise DocreError(
            f"data.batches.pair_order: {settings.pair_order!r} is about given pairs; a joint model "
            "has none"
        )


def _require_types(table: FeatureTable) -> None:
    """Raise for entities of the documents in use whose type the data does not know."""
    problems = []
    for name, types in zip(table.ids, table.lists("entity_type"), strict=True):
        for entity in np.flatnonzero(types < 0).tolist():
            message = "the data knows no type of that name"
            problems.append(Problem("unknown-type", message, name, f"entities[{entity}].type"))
    if problems:
        raise DataError(problems, "Give the data these types, or leave the documents out.")
