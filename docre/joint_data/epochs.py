"""A sampler that sends the epoch along with the documents of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from docre.data.feature_table import EpochRows
from docre.data.sampling import DocumentBatchSampler


class EpochBatchSampler(DocumentBatchSampler):
    """Yield the same batches, each with the epoch it is for."""

    def __iter__(self) -> Iterator[list[int]]:
        for rows in super().__iter__():
            yield EpochRows(rows, self.epoch)
