"""The documents of one split as a data set of rows, memory-mapped or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from docre.data.columns import PAIR_ROWS, RowKind, schema
from docre.errors import DocreError

if TYPE_CHECKING:
    from datasets import Dataset

IntArray = NDArray[np.int64]


class AddedLabels(NamedTuple):
    """Labels that are beside those of the documents, sorted by document; without evidence.

    Args:
        document: Row of the document each is added to.  # [A]
        head: Head entity, counted in its document.  # [A]
        tail: Tail entity.  # [A]
        relation: Relation, counted from 0.  # [A]
    """

    document: IntArray
    head: IntArray
    tail: IntArray
    relation: IntArray


class Rows(NamedTuple):
    """Some rows of a table on their way into a batch.

    Args:
        table: One Arrow row a document.
        row: Row of each document in its data set.
        keep_label: For every label of these rows, whether it is to be seen.
        epoch: Epoch they are asked for, where that was said.
        added: Labels to be seen beside those of the rows; documents are counted in these rows.
    """

    table: pa.Table
    row: IntArray
    keep_label: NDArray[np.bool_] | None
    epoch: int = 0
    added: AddedLabels | None = None


class EpochRows(list[int]):
    """Numbers of rows and the epoch they are wanted in.

    What is drawn anew in each epoch is drawn in the processes of a data loader, which nobody tells
    the epoch; so it travels with the rows.
    """

    def __init__(self, rows: Iterable[int], epoch: int) -> None:
        super().__init__(rows)
        self.epoch = epoch


class FeatureTable:
    """A map-style data set for :class:`torch.utils.data.DataLoader`.

    A whole batch is fetched at once: ``table[[3, 1, 4]]`` gives the rows the collate function
    takes. Labels can be hidden and added (see :mod:`docre.data.label_noise`) without touching the
    cache.

    Args:
        dataset: Rows in the schema of :func:`docre.data.columns.schema`.
        rows: Use only these rows, in this order.
        keep_label: For every label of the whole data set, whether it is to be seen.
        kind: Which rows they are.
        added: Labels to be seen beside those of the data set, in documents of the whole of it.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: IntArray | None = None,
        keep_label: NDArray[np.bool_] | None = None,
        kind: RowKind = PAIR_ROWS,
        added: AddedLabels | None = None,
    ) -> None:
        if dataset.features.arrow_schema.names != schema(kind).names:
            raise DocreError("this data set was not written as docre features")
        self.kind = kind
        self._dataset = dataset.with_format("arrow")
        self.rows = np.arange(len(dataset)) if rows is None else rows
        self.keep_label = keep_label
        self.added = added
        self.num_tokens = self.scalars("num_tokens")[self.rows]
        self.num_pairs = self.scalars("num_pairs")[self.rows]
        self.labelled = self.scalars("labelled")[self.rows].astype(bool)
        self._label_offset = self.offsets("label_relation")

    @classmethod
    def from_batches(
        cls, batches: Sequence[pa.RecordBatch], kind: RowKind = PAIR_ROWS
    ) -> FeatureTable:
        """Make a table in memory."""
        from datasets import Dataset
        from datasets.table import InMemoryTable

        table = pa.Table.from_batches(batches, schema=schema(kind))
        return cls(Dataset(InMemoryTable(table)), kind=kind)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | Sequence[int]) -> Rows:
        listed = self.rows[np.atleast_1d(np.asarray(index, dtype=np.int64))]
        table = self._dataset[listed.tolist()]
        keep = None
        if self.keep_label is not None:
            spans = [self.keep_label[slice(*self._label_offset[row : row + 2])] for row in listed]
            keep = np.concatenate(spans) if spans else np.zeros(0, dtype=bool)
        return Rows(table, listed, keep, getattr(index, "epoch", 0), self._added_to(listed))

    # torch asks for this name where a loader has a batch sampler
    __getitems__ = __getitem__

    def select(self, rows: IntArray) -> FeatureTable:
        """Return the table of some of its documents."""
        kept = self.keep_label, self.kind, self.added
        return FeatureTable(self._dataset, self.rows[rows], *kept)

    def with_labels(self, keep: NDArray[np.bool_]) -> FeatureTable:
        """Return the table with only some of its labels to be seen.

        Args:
            keep: For every label of the whole data set, in order.
        """
        return FeatureTable(self._dataset, self.rows, keep, self.kind, self.added)

    def with_added(self, added: AddedLabels) -> FeatureTable:
        """Return the table with labels to be seen beside its own.

        Args:
            added: Labels for documents of the whole data set; none may be there already.
        """
        return FeatureTable(self._dataset, self.rows, self.keep_label, self.kind, added)

    @property
    def ids(self) -> list[str]:
        """Id of every document."""
        names = self._dataset.data.column("id").to_pylist()
        return [names[row] for row in self.rows]

    def labels(self) -> tuple[IntArray, IntArray]:
        """Return the document row and the relation of every label of the whole data set.

        They are the data set's own, hidden ones too; added ones are not among them.
        """
        document = np.repeat(np.arange(len(self._label_offset) - 1), np.diff(self._label_offset))
        return document, self.flat("label_relation")

    def seen_relations(self) -> IntArray:
        """Return the relation of every label that is to be seen in the selected documents.

        Hidden labels are not among them, added ones are, at the end.
        """
        document, relation = self.labels()
        chosen = np.isin(document, self.rows)
        if self.keep_label is not None:
            chosen &= self.keep_label
        if self.added is None:
            return relation[chosen]
        more = self.added.relation[np.isin(self.added.document, self.rows)]
        return np.concatenate((relation[chosen], more))

    def lists(self, column: str) -> list[IntArray]:
        """Return the values of a list column, by document."""
        offsets, values = self.offsets(column), self.flat(column)
        return [values[offsets[row] : offsets[row + 1]] for row in self.rows]

    def flat(self, column: str) -> IntArray:
        """Return all values of a list column, one after another."""
        chunks = self._dataset.data.column(column).chunks
        values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
        return np.concatenate([np.zeros(0, np.int64), *values]).astype(np.int64)

    def scalars(self, column: str) -> IntArray:
        """Return the values of a column of numbers or truth values, of the whole data set."""
        chunks = self._dataset.data.column(column).chunks
        values = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
        return np.concatenate([np.zeros(0, np.int64), *values]).astype(np.int64)

    def offsets(self, column: str) -> IntArray:
        """Return where each document's part of :meth:`flat` begins, and the end."""
        chunks = self._dataset.data.column(column).chunks
        lengths = [chunk.value_lengths().to_numpy(zero_copy_only=False) for chunk in chunks]
        counts = np.concatenate([np.zeros(1, np.int64), *lengths])
        return np.cumsum(counts).astype(np.int64)

    def _added_to(self, rows: IntArray) -> AddedLabels | None:
        """Return what is added to some rows, its documents counted in these."""
        if self.added is None:
            return None
        start = np.searchsorted(self.added.document, rows)
        counts = np.searchsorted(self.added.document, rows, side="right") - start
        document = np.repeat(np.arange(len(rows)), counts)
        skipped = start - (np.cumsum(counts) - counts)
        place = np.arange(len(document)) + skipped[document]
        return AddedLabels(document, *(column[place] for column in self.added[1:]))
