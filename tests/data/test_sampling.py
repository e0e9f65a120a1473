"""Batches: budgets, ranks, epochs, and that no document is ever left out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.sampling import DocumentBatchSampler, fill_up, pack_by_budget, pack_by_size


def sampler(tokens, pairs=None, **options):
    tokens = np.asarray(tokens, dtype=np.int64)
    pairs = np.asarray(tokens if pairs is None else pairs, dtype=np.int64)
    return DocumentBatchSampler(tokens, pairs, **options)


def epoch(make, number, world_size=1):
    """All ranks' batches of an epoch."""
    ranks = []
    for rank in range(world_size):
        one = make(rank)
        one.set_epoch(number)
        ranks.append(list(one))
        assert len(ranks[-1]) == len(one)
    assert len({len(batches) for batches in ranks}) == 1
    return ranks


lengths = st.lists(st.integers(4, 600), min_size=1, max_size=80)


@settings(max_examples=150, deadline=None)
@given(
    lengths,
    st.integers(1, 8),
    st.sampled_from([(None, 512), (700, None), (1500, 900)]),
    st.booleans(),
    st.integers(0, 3),
)
def test_budgets_hold_and_every_document_comes_once(tokens, world, budgets, shuffle, number):
    token_budget, pair_budget = budgets
    pairs = [length % 97 for length in tokens]

    def make(rank):
        return sampler(
            tokens,
            pairs,
            token_budget=token_budget,
            pair_budget=pair_budget,
            shuffle=shuffle,
            seed=3,
            rank=rank,
            world_size=world,
        )

    ranks = epoch(make, number, world)
    seen = Counter(document for batches in ranks for batch in batches for document in batch)
    assert set(seen) == set(range(len(tokens)))
    if len(tokens) >= world * len(ranks[0]):
        assert set(seen.values()) == {1}
    for batches in ranks:
        for batch in batches:
            padded = max(tokens[d] for d in batch) * len(batch)
            assert len(batch) == 1 or token_budget is None or padded <= token_budget
            total = sum(pairs[d] for d in batch)
            assert len(batch) == 1 or pair_budget is None or total <= pair_budget
    assert len(make(0)) == len(ranks[0])  # the same in every epoch


def test_the_number_of_batches_does_not_change_over_epochs():
    tokens = np.random.default_rng(0).integers(50, 500, 1000)
    one = sampler(tokens, token_budget=2048, shuffle=True)
    for number in range(20):
        one.set_epoch(number)
        batches = list(one)
        assert len(batches) == len(one)
        assert sorted(d for batch in batches for d in batch) == list(range(1000))


def test_the_same_seed_and_epoch_give_the_same_batches():
    tokens = np.random.default_rng(1).integers(50, 500, 300)

    def batches(seed, number):
        one = sampler(tokens, token_budget=2048, shuffle=True, seed=seed)
        one.set_epoch(number)
        return list(one)

    assert batches(5, 2) == batches(5, 2)
    assert batches(5, 2) != batches(5, 3)
    assert batches(5, 2) != batches(6, 2)


def test_bucketing_wastes_little_on_padding():
    tokens = np.random.default_rng(2).integers(50, 500, 2000)

    def padding(one):
        real = padded = 0
        for batch in one:
            real += int(tokens[batch].sum())
            padded += int(tokens[batch].max()) * len(batch)
        return 1 - real / padded

    assert padding(sampler(tokens, token_budget=4096, shuffle=True)) < 0.05
    assert padding(sampler(tokens, batch_size=8, shuffle=True)) > 0.2


def test_plain_batches_keep_their_size_and_order():
    one = sampler(range(10, 20), batch_size=4)
    assert list(one) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    shuffled = sampler(range(10, 20), batch_size=4, shuffle=True)
    assert sorted(d for batch in shuffled for d in batch) == list(range(10))
    assert [len(batch) for batch in shuffled] == [4, 4, 2]


def test_ranks_share_the_documents_when_they_do_not_divide():
    ranks = epoch(lambda rank: sampler(range(10, 17), batch_size=2, rank=rank, world_size=2), 0, 2)
    assert sorted(d for batches in ranks for batch in batches for d in batch) == list(range(7))


def test_fewer_documents_than_ranks_are_repeated():
    ranks = epoch(lambda rank: sampler([9], batch_size=2, rank=rank, world_size=3), 0, 3)
    assert ranks == [[[0]], [[0]], [[0]]]


def test_no_documents():
    assert list(sampler([], batch_size=2)) == []
    assert list(sampler([], token_budget=10, shuffle=True)) == []


def test_packing_is_greedy_and_exact():
    order = np.array([3, 1, 0, 2])
    tokens, pairs = np.array([5, 5, 9, 4]), np.array([1, 1, 1, 1])
    packed = pack_by_budget(order, tokens, pairs, 10, None)
    assert [batch.tolist() for batch in packed] == [[3, 1], [0], [2]]
    assert [batch.tolist() for batch in pack_by_size(order, 3)] == [[3, 1, 0], [2]]


def test_fill_up_halves_the_costliest():
    batches = [np.arange(4), np.arange(4, 10), np.array([10])]
    filled = fill_up(batches, 4, np.array([1, 9, 100]))
    assert [batch.tolist() for batch in filled] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10]]


@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 0}, {"token_budget": -1}, {"pair_budget": 0}]
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ValueError, match=r"batch_size|token_budget|pair_budget"):
        sampler([4], **options)
