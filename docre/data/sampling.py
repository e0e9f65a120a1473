"""Which documents make a batch: plain batches of a fixed size, or batches by budget.

A budget batch holds as many documents of like length as fit a number of tokens (padding included)
and a number of pairs, so one long document does not blow up the memory of a step. Both kinds are
the same for the same seed and epoch on every machine, give every rank of a distributed run the same
number of batches in every epoch, and leave no document out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler

IntArray = NDArray[np.int64]
Pack = Callable[[IntArray], list[IntArray]]

# Shuffled documents are sorted by length inside windows of so many batches: enough for batches of
# like length, little enough that batches differ from epoch to epoch.
_WINDOW = 50
# Spare batches, as a share of those of the first epoch, so that each epoch fits the same number.
_SPARE = 0.02


def pack_by_size(order: IntArray, batch_size: int) -> list[IntArray]:
    """Cut an order into batches of a fixed size; the last may be smaller."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def pack_by_budget(
    order: IntArray,
    num_tokens: IntArray,
    num_pairs: IntArray,
    token_budget: int | None,
    pair_budget: int | None,
) -> list[IntArray]:
    """Fill batches one after another until the next document would break a budget.

    Args:
        order: Documents in the order they are taken.
        num_tokens: Length of every document; a batch costs its longest times its size.
        num_pairs: Pairs of every document.
        token_budget: Most tokens of a batch, padding included.
        pair_budget: Most pairs of a batch.

    Returns:
        Batches of documents; one that breaks a budget by itself is a batch of its own.
    """
    batches: list[IntArray] = []
    start, longest, pairs = 0, 0, 0
    tokens_of, pairs_of = num_tokens[order].tolist(), num_pairs[order].tolist()
    for index in range(len(order)):
        longest, pairs = max(longest, tokens_of[index]), pairs + pairs_of[index]
        size = index + 1 - start
        over_tokens = token_budget is not None and longest * size > token_budget
        over_pairs = pair_budget is not None and pairs > pair_budget
        if size > 1 and (over_tokens or over_pairs):
            batches.append(order[start:index])
            start, longest, pairs = index, tokens_of[index], pairs_of[index]
    if start < len(order):
        batches.append(order[start:])
    return batches


class DocumentBatchSampler(DistributedSampler[list[int]]):
    """Yield the batches of this rank as lists of documents.

    Give it to a ``DataLoader`` as ``sampler`` with ``batch_size=None``. It is a
    ``DistributedSampler`` so that Lightning leaves it in place under DDP and tells it the epoch.

    Args:
        num_tokens: Length of every document.
        num_pairs: Pairs of every document.
        batch_size: Documents of a batch, regardless of their size; the budgets are then not used.
        token_budget: Most tokens of a batch, padding included.
        pair_budget: Most pairs of a batch.
        shuffle: New order in every epoch; without it documents come in order of length under a
            budget, and in their own order otherwise.
        seed: The order depends on it and on the epoch alone.
        rank: Of this process.
        world_size: Number of processes.

    Attributes:
        skip: Batches of this rank to leave out the next time, as they were trained on before.
    """

    def __init__(
        self,
        num_tokens: IntArray,
        num_pairs: IntArray,
        *,
        batch_size: int | None = None,
        token_budget: int | None = None,
        pair_budget: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        for name, value in (
            ("batch_size", batch_size),
            ("token_budget", token_budget),
            ("pair_budget", pair_budget),
        ):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if batch_size is None and token_budget is None and pair_budget is None:
            raise ValueError("set batch_size, token_budget or pair_budget")
        # the base class only wants to know the number of documents
        super().__init__(
            cast(Any, range(len(num_tokens))),
            num_replicas=world_size,
            rank=rank,
            shuffle=shuffle,
            seed=seed,
        )
        self.num_tokens, self.num_pairs = num_tokens, num_pairs
        self.batch_size, self.token_budget, self.pair_budget = batch_size, token_budget, pair_budget
        self._world_size, self._rank = world_size, rank
        self.skip = 0
        first = self._packed(0)
        spare = int(len(first) * _SPARE) if shuffle and batch_size is None else 0
        total = min(len(first) + spare, max(len(num_tokens), len(first)))
        self._total = -(-total // world_size) * world_size

    def __len__(self) -> int:
        return self._total // self._world_size

    def __iter__(self) -> Iterator[list[int]]:
        skip, self.skip = self.skip, 0
        for batch in self.batches(self.epoch)[self._rank :: self._world_size][skip:]:
            yield batch.tolist()

    def batches(self, epoch: int) -> list[IntArray]:
        """Return the batches of all ranks of an epoch; neighbours go to different ranks."""
        packed = self._packed(epoch)
        if len(packed) > self._total:  # rare: this order packs worse than the first one
            packed = self._packed(0)
        cost = self._costs(packed)
        packed = fill_up(packed, self._total, cost)
        if not self.shuffle or self.batch_size is not None:
            return packed
        # Ranks wait for each other at every step: batches of like cost go side by side.
        costs = self._costs(packed)
        order = np.argsort(costs, kind="stable")
        steps = order.reshape(-1, self._world_size)
        mixed = self._random(epoch, 1).permutation(len(steps))
        return [packed[index] for index in steps[mixed].ravel()]

    def _packed(self, epoch: int) -> list[IntArray]:
        count = len(self.num_tokens)
        order = self._random(epoch, 0).permutation(count) if self.shuffle else np.arange(count)
        if self.batch_size is not None:
            return pack_by_size(order, self.batch_size)
        return pack_by_budget(
            self._by_length(order),
            self.num_tokens,
            self.num_pairs,
            self.token_budget,
            self.pair_budget,
        )

    def _by_length(self, order: IntArray) -> IntArray:
        """Sort by length, inside windows of the shuffled order or altogether."""
        if not self.shuffle or not len(order):
            return order[np.argsort(self.num_tokens[order], kind="stable")]
        tokens = self.token_budget or 0
        share = max(1, tokens // max(1, int(np.median(self.num_tokens)))) if tokens else 8
        window = max(_WINDOW * share, 2)
        parts = np.split(order, range(window, len(order), window))
        return np.concatenate(
            [part[np.argsort(self.num_tokens[part], kind="stable")] for part in parts]
        )

    def _costs(self, batches: Sequence[IntArray]) -> IntArray:
        """Return what each batch costs a step: its padded tokens and its pairs."""
        return np.array(
            [
                int(self.num_tokens[b].max()) * len(b) + int(self.num_pairs[b].sum())
                for b in batches
            ],
            dtype=np.int64,
        )

    def _random(self, epoch: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, purpose])


def fill_up(batches: Sequence[IntArray], total: int, cost: IntArray) -> list[IntArray]:
    """Return exactly ``total`` batches by halving the costliest ones.

    No document is repeated as long as there are at least ``total`` of them; with fewer, batches are
    repeated from the start, and scores must count a document once.
    """
    filled = list(batches)
    while len(filled) < total:
        sizes = np.array([len(batch) for batch in filled])
        divisible = np.flatnonzero(sizes > 1)
        if not len(divisible):
            break
        costs = cost if len(cost) == len(filled) else sizes
        chosen = divisible[np.argsort(-costs[divisible], kind="stable")][: total - len(filled)]
        halves = {int(index): np.array_split(filled[index], 2) for index in chosen}
        filled = [part for i, b in enumerate(filled) for part in halves.get(i, [b])]
    for index in range(total - len(filled)):
        filled.append(filled[index % max(len(batches), 1)])
    return filled


def distributed_place() -> tuple[int, int]:
    """Return rank and number of processes, 0 and 1 outside of a distributed run."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
