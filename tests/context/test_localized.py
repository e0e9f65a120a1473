"""Localized context against a loop over pairs."""

import pytest
import torch

from docre.context import LocalizedContext
from docre.outputs import Encoded
from tests.batches import make_batch

IDS = [[5] * 9, [5] * 6, [5] * 4, [5] * 7]
ENTITIES = [[[1, 4], [2], [3]], [[1], [2]], [[1]], []]
TYPED = [[(0, 2), (1, 2), (1, 0)], [(1, 0)], [], []]


def encoded(batch, heads=3, width=5, dtype=torch.float64):
    make = torch.Generator().manual_seed(1)
    tokens = torch.randn(*batch.input_ids.shape, width, dtype=dtype, generator=make)
    maps = torch.rand(batch.num_entities, heads, batch.num_tokens, dtype=dtype, generator=make)
    maps = maps * batch.token_mask[batch.entity_doc][:, None]
    return Encoded(tokens, maps), maps


@pytest.mark.parametrize("pairs", [None, TYPED])
@pytest.mark.parametrize("eps", [1e-5, 1e-30])
def test_contexts_are_what_a_loop_over_pairs_gives(pairs, eps):
    batch = make_batch(IDS, ENTITIES, pairs)
    states, maps = encoded(batch)
    context = LocalizedContext(5, eps)(states, None, maps, batch)
    found = context.per_pair(context.states)
    attention = context.attention.of(torch.arange(batch.num_pairs))
    for p in range(batch.num_pairs):
        weights = (maps[batch.pair_head[p]] * maps[batch.pair_tail[p]]).mean(0)
        weights = weights / (weights.sum() + eps)
        torch.testing.assert_close(attention[p], weights)
        torch.testing.assert_close(found[p], weights @ states.token_states[batch.pair_doc[p]])


def test_a_pair_and_its_reverse_share_one_context():
    batch = make_batch(IDS, ENTITIES)
    states, maps = encoded(batch)
    context = LocalizedContext(5)(states, None, maps, batch)
    assert len(context.states) == batch.num_pairs / 2


def test_the_order_of_pairs_only_moves_them():
    batch = make_batch(IDS[:1], ENTITIES[:1])
    states, maps = encoded(batch)
    order = [(2, 1), (0, 1), (1, 0), (2, 0), (1, 2), (0, 2)]
    turned = make_batch(IDS[:1], ENTITIES[:1], [order])
    first = LocalizedContext(5)(states, None, maps, batch)
    second = LocalizedContext(5)(states, None, maps, turned)
    plain = list(zip(batch.pair_head.tolist(), batch.pair_tail.tolist(), strict=True))
    where = [plain.index(pair) for pair in order]
    torch.testing.assert_close(first.per_pair(first.states)[where], second.per_pair(second.states))


def test_documents_without_pairs():
    batch = make_batch(IDS[2:], ENTITIES[2:])
    states, maps = encoded(batch)
    context = LocalizedContext(5)(states, None, maps, batch)
    assert context.states.shape == (0, 5)
    assert context.attention.of(torch.arange(0)).shape == (0, 7)


def test_gradient():
    batch = make_batch(IDS[:2], ENTITIES[:2])
    states, maps = encoded(batch)

    def made(tokens, attention):
        context = LocalizedContext(5)(Encoded(tokens, attention), None, attention, batch)
        return context.per_pair(context.states)

    inputs = [value.clone().requires_grad_() for value in (states.token_states, maps)]
    assert torch.autograd.gradcheck(made, inputs)
