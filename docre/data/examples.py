"""What a model is shown of documents: which rows are kept of them, and which batches made of rows.

Any data module serves any model: it asks the model for its examples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from docre.data.collate import Collate
from docre.data.columns import PAIR_ROWS, RowKind, RowMaker
from docre.data.feature_table import FeatureTable, Rows
from docre.data.features import FeatureSettings, Featurizer
from docre.data.pieces import Pieces
from docre.data.relations import RelationSet
from docre.data.sampling import DocumentBatchSampler
from docre.documents import Document

if TYPE_CHECKING:
    from docre.data.modules.settings import BatchSettings


class Examples(ABC):
    """What a model is shown of documents.

    Equal examples make equal rows and batches, so a subclass is a frozen dataclass of its settings.

    Attributes:
        kind: The rows that are kept of documents.
        sampler: Makes the sampler of a data loader.
        ignores_unknown_labels: Whether documents to predict may have relations that the model does
            not know; the rows are then made without those.
    """

    kind: ClassVar[RowKind]
    sampler: ClassVar[type[DocumentBatchSampler]] = DocumentBatchSampler
    ignores_unknown_labels: ClassVar[bool] = False

    @abstractmethod
    def row_maker(
        self,
        pieces: Pieces,
        relations: RelationSet,
        types: Sequence[str],
        settings: FeatureSettings,
    ) -> RowMaker:
        """Return what turns documents into rows.

        Args:
            pieces: The tokenizer.
            relations: Relations in their fixed order.
            types: Entity types in their fixed order.
            settings: What the data says about features.

        Raises:
            DocreError: If there are settings that this kind of examples cannot follow.
        """

    @abstractmethod
    def collate(self, pieces: Pieces, settings: BatchSettings) -> Callable[[Rows], Any]:
        """Return what makes a batch of rows where nothing is learnt.

        Args:
            pieces: The tokenizer.
            settings: How documents become batches.
        """

    def training_collate(
        self, pieces: Pieces, settings: BatchSettings, seed: int
    ) -> Callable[[Rows], Any]:
        """Return what makes a batch of rows to learn from.

        Args:
            pieces: The tokenizer.
            settings: How documents become batches.
            seed: Of everything that is drawn by chance, together with the epoch of the rows.
        """
        return self.collate(pieces, settings)

    def learnable(self, table: FeatureTable) -> FeatureTable:
        """Return rows to learn from, or refuse them.

        Raises:
            DataError: With the documents that nothing can be learnt from.
        """
        return table

    def document(self, document: Document) -> Document:
        """Return a document in the words that a model of such examples speaks of.

        Predictions are made on these words, so both they and the labels they are compared with
        have to be.
        """
        return document


@dataclass(frozen=True)
class PairExamples(Examples):
    """Documents with their entities marked, and their pairs to be judged."""

    kind: ClassVar[RowKind] = PAIR_ROWS

    def row_maker(
        self,
        pieces: Pieces,
        relations: RelationSet,
        types: Sequence[str],
        settings: FeatureSettings,
    ) -> RowMaker:
        """Return a featurizer."""
        return Featurizer(pieces, relations, types, settings)

    def collate(self, pieces: Pieces, settings: BatchSettings) -> Callable[[Rows], Any]:
        """Return what makes a :class:`~docre.batch.Batch`, the same in training and outside."""
        return Collate(pieces.pad_id, settings.pair_order)


def examples_of(model: object) -> Examples:
    """Return the examples a model asks for by an attribute of that name, else pairs."""
    asked = getattr(model, "examples", None)
    return asked if isinstance(asked, Examples) else PairExamples()
