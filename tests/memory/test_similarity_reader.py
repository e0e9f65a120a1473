"""The reader of pair systems, against its formula for one pair."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from docre.heads import PairHead
from docre.memory import (
    CosineSimilarity,
    DotProductSimilarity,
    MemoryReader,
    SimilarityReader,
    switch_reads,
)
from docre.outputs import Encoded
from tests.batches import make_batch

WIDTH = 8
PAIR_DOC = torch.tensor([0] * 5 + [2] + [3] * 6)
KINDS = {
    "bilinear": {"slot_features": 5},
    "dot": {"similarity": DotProductSimilarity},
    "cosine": {"similarity": partial(CosineSimilarity, scale=4.0)},
}


def build(slots=7, **options):
    """A reader of which every parameter matters, also those that start at zero."""
    reader = SimilarityReader(WIDTH, slots=slots, **options).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in reader.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.add_(0.5 * noise)
    return reader


def pairs(count=12):
    generator = torch.Generator().manual_seed(2)
    head, tail = torch.randn(2, count, WIDTH, generator=generator, dtype=torch.float64)
    return head.requires_grad_(), tail.requires_grad_()


def naive(reader, x):
    """The definition, for one vector."""
    scores = torch.stack([reader.similarity(x[None], slot[None])[0, 0] for slot in reader.memory])
    weights = scores.exp() / scores.exp().sum()
    read = sum(w * slot for w, slot in zip(weights, reader.memory, strict=True))
    return x + reader.merge.weight @ torch.cat((x, read)) + reader.merge.bias


@pytest.mark.parametrize("kind", KINDS)
def test_reader_is_its_formula(kind):
    reader, (head, tail) = build(**KINDS[kind]), pairs()
    for given, found in zip((head, tail), reader(head, tail, PAIR_DOC), strict=True):
        wanted = torch.stack([naive(reader, x) for x in given])
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_by_differences(kind):
    reader = build(slots=3, **KINDS[kind])
    names = [name for name, _ in reader.named_parameters()]

    def read(head, tail, *weights):
        named = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(reader, named, (head, tail, PAIR_DOC[:2]))

    weights = [value.detach().requires_grad_() for value in reader.parameters()]
    assert torch.autograd.gradcheck(read, (*pairs(2), *weights))


def test_each_end_of_each_pair_is_on_its_own():
    reader, (head, tail) = build(), pairs()
    whole = torch.stack(reader(head, tail, PAIR_DOC))
    order = torch.tensor([3, 11, 0, 7])
    some = torch.stack(reader(head[order], tail[order], PAIR_DOC[order].sort().values))
    torch.testing.assert_close(some, whole[:, order])
    slopes = torch.autograd.grad(whole[0, 3].sum(), (head, tail))
    assert slopes[0][3].abs().min() > 0
    assert not slopes[0][torch.arange(len(head)) != 3].any()
    assert not slopes[1].any()


@pytest.mark.parametrize("width", [64, 768])
def test_training_starts_close_to_no_memory(width):
    torch.manual_seed(0)
    reader = SimilarityReader(width)
    head, tail = torch.randn(2, 12, width).tanh()
    new = torch.stack(reader(head, tail, PAIR_DOC))
    change = (new - torch.stack((head, tail))).norm() / new.norm()
    assert 0 < change < 0.01
    (new * torch.randn_like(new)).sum().backward()
    for name, parameter in reader.named_parameters():
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 12])
@pytest.mark.parametrize("reading", [True, False])
def test_every_parameter_takes_part(kind, count, reading):
    reader = build(**KINDS[kind])
    switch_reads(reader, reading)
    given = pairs(count)
    head, tail = reader(*given, PAIR_DOC[:count])
    assert head.shape == tail.shape == (count, WIDTH)
    (head.square().sum() + tail.sum()).backward()
    for name, parameter in reader.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any() == (count > 0 and reading), name
    if not reading:
        assert torch.equal(head, given[0])
        assert torch.equal(tail, given[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_half_precision(dtype, size):
    torch.manual_seed(0)
    reader = SimilarityReader(32, slots=5000)
    reader.merge.weight.data.normal_(std=0.1)
    reader.memory.data.normal_()
    head, tail = torch.randn(2, 12, 32).tanh().unbind()
    exact = torch.stack(reader(head, tail, PAIR_DOC))
    with torch.autocast("cpu", dtype):
        half = torch.stack(reader((size * head).to(dtype), (size * tail).to(dtype), PAIR_DOC))
    assert torch.isfinite(half).all()
    if size == 1:
        torch.testing.assert_close(half.float(), exact, atol=0.05, rtol=0.05)
    half.float().mean().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in reader.parameters())
    pure = reader.to(dtype)(head.to(dtype), tail.to(dtype), PAIR_DOC)[0]
    assert pure.dtype == dtype
    torch.testing.assert_close(pure.float(), exact[0], atol=0.05, rtol=0.05)


def test_in_a_pair_head():
    batch = make_batch([list(range(9)), list(range(6))], [[[1], [3], [5, 7]], [[1], [2]]])
    torch.manual_seed(0)
    states, attention = torch.randn(2, 9, 16), torch.rand(6, 2, 9).softmax(-1)
    head = PairHead(16, 3, width=64, memory=SimilarityReader)
    assert head.memory.width == 64
    encoded = Encoded(states, attention)
    read = head(encoded, batch).logits
    switch_reads(head, False)
    unread = head(encoded, batch).logits
    head.memory = None
    assert torch.equal(head(encoded, batch).logits, unread)
    assert not torch.equal(read, unread)
    torch.testing.assert_close(read, unread, atol=0.01, rtol=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slots": 1}, "slots: 1"),
        ({"similarity": DotProductSimilarity, "slot_features": 3}, "slot_features"),
    ],
)
def test_impossible_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        SimilarityReader(WIDTH, **options)


def test_contract_of_a_reader():
    assert issubclass(SimilarityReader, MemoryReader)
    reader = SimilarityReader(WIDTH, slots=3, slot_features=5)
    assert reader.width == WIDTH
    assert "slots=3, slot_features=5" in repr(reader)
    names = {name for name, _ in reader.named_parameters()}
    assert names == {"memory", "similarity.weight", "merge.weight", "merge.bias"}
    torch.manual_seed(0)
    fresh = SimilarityReader(256)
    assert fresh.memory.std().item() == pytest.approx(0.02, rel=0.02)
    assert fresh.merge.weight[:, 256:].std().item() == pytest.approx(0.02, rel=0.02)
    assert not fresh.merge.weight[:, :256].any()
