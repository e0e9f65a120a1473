"""Pooling against loops."""

import pytest
import torch

from docre.pooling import (
    AttentionPooling,
    LogSumExpPooling,
    MaxPooling,
    MeanPooling,
    entity_attention,
    mention_states,
    segment_logsumexp,
)
from tests.batches import make_batch

ENTITIES = [[[1, 4], [2], [3, 3, 5]], [], [[0]]]
BATCH = make_batch([[5] * 7, [5] * 3, [5]], ENTITIES)
FORMULAS = {
    LogSumExpPooling: lambda rows: rows.exp().sum(0).log(),
    MeanPooling: lambda rows: rows.mean(0),
    MaxPooling: lambda rows: rows.max(0).values,
}


def states(width=4):
    return torch.randn(3, 7, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pooling", FORMULAS)
def test_entities_are_pooled_mentions(pooling):
    tokens = states()
    mentions = mention_states(tokens, BATCH)
    found = pooling(4)(mentions, BATCH.mention_entity, BATCH.num_entities)
    expected = [
        FORMULAS[pooling](tokens[d, entity]) for d, of in enumerate(ENTITIES) for entity in of
    ]
    torch.testing.assert_close(found, torch.stack(expected))


def test_attention_pooling_is_a_softmax_over_the_mentions_of_an_entity():
    tokens = states().float()
    pooling = AttentionPooling(4)
    mentions = mention_states(tokens, BATCH)
    found = pooling(mentions, BATCH.mention_entity, BATCH.num_entities)
    rows = tokens[0, [3, 3, 5]]
    weights = pooling.score(rows).softmax(0)
    torch.testing.assert_close(found[2], (weights * rows).sum(0))


@pytest.mark.parametrize("pooling", [*FORMULAS, AttentionPooling])
def test_without_mentions_an_entity_is_zero(pooling):
    made = pooling(3)
    none = torch.zeros(0, 3)
    found = made(none, torch.zeros(0, dtype=torch.long), 2)
    assert found.tolist() == [[0, 0, 0]] * 2
    assert made(none, torch.zeros(0, dtype=torch.long), 0).shape == (0, 3)


@pytest.mark.parametrize("large", [1e4, -1e4])
def test_logsumexp_of_large_values(large):
    values = torch.tensor([[large], [large + 1], [0.5]], requires_grad=True)
    found = segment_logsumexp(values, torch.tensor([0, 0, 2]), 3)
    expected = torch.logsumexp(values[:2], 0)
    torch.testing.assert_close(found[0], expected)
    assert found[1:].tolist() == [[0], [0.5]]
    found.sum().backward()
    assert values.grad.isfinite().all()


def test_logsumexp_gradient():
    values = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    segment = torch.tensor([1, 1, 0, 3, 1])
    assert torch.autograd.gradcheck(lambda v: segment_logsumexp(v, segment, 4), values)


def test_half_precision_is_pooled_in_float32():
    values = torch.full((3, 1), 3.0, dtype=torch.bfloat16)
    found = segment_logsumexp(values, torch.zeros(3, dtype=torch.long), 1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor([[3 + torch.tensor(3.0).log()]]))


def test_attention_of_an_entity_is_the_mean_of_its_mentions():
    rows = torch.randn(BATCH.mention_token.shape[0], 2, 7)
    found = entity_attention(rows, BATCH)
    torch.testing.assert_close(found[0], rows[:2].mean(0))
    torch.testing.assert_close(found[3], rows[-1])
