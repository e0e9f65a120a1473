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


class Rows(NamedTuple):
    """Some rows of a table on their way into a batch.

    Args:
        table: One Arrow row a document.
        row: Row of each document in its data set.
        keep_label: For every label of these rows, whether it is to be seen.
        epoch: Epoch they are asked for, where that was said.
    """

    table: pa.Table
    row: IntArray
    keep_label: NDArray[np.bool_] | None
    epoch: int = 0


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
    takes. Labels can be hidden (see :mod:`docre.data.label_noise`) without touching the cache.

    Args:
        dataset: Rows in the schema of :func:`docre.data.columns.schema`.
        rows: Use only these rows, in this order.
        keep_label: For every label of the whole data set, whether it is to be seen.
        kind: Which rows they are.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: IntArray | None = None,
        keep_label: NDArray[np.bool_] | None = None,
        kind: RowKind = PAIR_ROWS,
    ) -> None:
        if dataset.features.arrow_schema.names != schema(kind).names:
            raise DocreError("this data set was not written as docre features")
        self.kind = kind
        self._dataset = dataset.with_format("arrow")
        self.rows = np.arange(len(dataset)) if rows is None else rows
        self.keep_label = keep_label
        self.num_tokens = self._scalars("num_tokens")[self.rows]
        self.num_pairs = self._scalars("num_pairs")[self.rows]
        self.labelled = self._scalars("labelled")[self.rows].astype(bool)
        self._label_offset = self._offsets("label_relation")

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
        return Rows(table, listed, keep, getattr(index, "epoch", 0))

    # torch asks for this name where a loader has a batch sampler
    __getitems__ = __getitem__

    def select(self, rows: IntArray) -> FeatureTable:
        """Return the table of some of its documents."""
        return FeatureTable(self._dataset, self.rows[rows], self.keep_label, self.kind)

    def with_labels(self, keep: NDArray[np.bool_]) -> FeatureTable:
        """Return the table with only some of its labels to be seen.

        Args:
            keep: For every label of the whole data set, in order.
        """
        return FeatureTable(self._dataset, self.rows, keep, self.kind)

    @property
    def ids(self) -> list[str]:
        """Id of every document."""
        names = self._dataset.data.column("id").to_pylist()
        return [names[row] for row in self.rows]

    def labels(self) -> tuple[IntArray, IntArray]:
        """Return the document row and the relation of every label of the whole data set."""
        document = np.repeat(np.arange(len(self._label_offset) - 1), np.diff(self._label_offset))
        return document, self.flat("label_relation")

    def seen_relations(self) -> IntArray:
        """Return the relation of every label that is to be seen in the selected documents."""
        document, relation = self.labels()
        chosen = np.isin(document, self.rows)
        if self.keep_label is not None:
            chosen &= self.keep_label
        return relation[chosen]

    def lists(self, column: str) -> list[IntArray]:
        """Return the values of a list column, by document."""
        offsets, values = self._offsets(column), self.flat(column)
        return [values[offsets[row] : offsets[row + 1]] for row in self.rows]

    def flat(self, column: str) -> IntArray:
        """Return all values of a list column, one after another."""
        chunks = self._dataset.data.column(column).chunks
        values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
        return np.concatenate([np.zeros(0, np.int64), *values]).astype(np.int64)

    def _scalars(self, column: str) -> IntArray:
        chunks = self._dataset.data.column(column).chunks
        values = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
        return np.concatenate([np.zeros(0, np.int64), *values]).astype(np.int64)

    def _offsets(self, column: str) -> IntArray:
        chunks = self._dataset.data.column(column).chunks
        lengths = [chunk.value_lengths().to_numpy(zero_copy_only=False) for chunk in chunks]
        counts = np.concatenate([np.zeros(1, np.int64), *lengths])
        return np.cumsum(counts).astype(np.int64)
