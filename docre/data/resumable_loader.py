"""A loader of training batches that can go on in the middle of an epoch."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from docre.data.sampling import DocumentBatchSampler, distributed_place

_log = logging.getLogger(__name__)


class ResumableLoader(DataLoader[Any]):
    """A loader whose place in an epoch is kept in checkpoints.

    The data module keeps it: Lightning, which would, has the loader made before it knows where to
    go on. The sampler of batches must be a :class:`DocumentBatchSampler`; batches are skipped
    before anything is read.
    """

    _given = 0
    _skip = 0

    def state_dict(self) -> dict[str, int]:
        """Return how many batches of this epoch were given out, to each of how many processes."""
        return {"batches": self._given, "world_size": distributed_place()[1]}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Skip those batches when the loader is next gone through."""
        batches, world_size = state_dict["batches"], distributed_place()[1]
        self._skip = batches * state_dict["world_size"] // world_size
        if self._skip > len(self):
            _log.warning(
                "the checkpoint was written after %d batches of an epoch, which has %d now: the "
                "next epoch begins",
                self._skip,
                len(self),
            )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        skip, self._skip = self._skip, 0
        return self._batches(skip)

    def _batches(self, skip: int) -> Iterator[Any]:
        # A generator: nobody looks at the sampler before the first batch is wanted, and by then
        # Lightning has told it the epoch. Workers would run ahead in another one.
        if skip:
            self._batch_sampler().skip = skip
        self._given = skip
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def _batch_sampler(self) -> DocumentBatchSampler:
        for sampler in (self.sampler, self.batch_sampler):
            if isinstance(sampler, DocumentBatchSampler):
                return sampler
        raise TypeError("a ResumableLoader needs a DocumentBatchSampler")
