"""The grouped bilinear against the wide linear layer it stands for."""

import pytest
import torch
from torch import nn

from docre.heads import GroupedBilinear, grouped_bilinear

P, D, B, C = 13, 12, 4, 5


def inputs(pairs=P, dtype=torch.float64):
    make = torch.Generator().manual_seed(0)
    shapes = [(pairs, D), (pairs, D), (C, D * B), (C,)]
    return [torch.randn(*shape, dtype=dtype, generator=make).requires_grad_() for shape in shapes]


def wide(head, tail, weight, bias):
    groups = D // B
    products = head.view(-1, groups, B, 1) * tail.view(-1, groups, 1, B)
    return nn.functional.linear(products.reshape(len(head), D * B), weight, bias)


@pytest.mark.parametrize("budget", [None, 1, 5, 100])
def test_equals_the_wide_layer(budget):
    given = inputs()
    found = grouped_bilinear(*given, B, budget)
    expected = wide(*given)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(P, C, dtype=torch.float64)
    ours = torch.autograd.grad((found * upstream).sum(), given)
    theirs = torch.autograd.grad((expected * upstream).sum(), given)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_gradient():
    assert torch.autograd.gradcheck(lambda *given: grouped_bilinear(*given, B), inputs(3))


def test_no_pairs():
    given = inputs(0)
    found = grouped_bilinear(*given, B)
    assert found.shape == (0, C)
    found.sum().backward()
    assert given[2].grad.count_nonzero() == 0


def test_half_precision_adds_up_in_float32():
    given = inputs(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = grouped_bilinear(*given, B)
    assert found.dtype == torch.float32
    rounded = [value.bfloat16().float() for value in given[:3]]
    torch.testing.assert_close(found, wide(*rounded, given[3]), atol=0.1, rtol=0.02)
    found.sum().backward()
    assert [value.grad.dtype for value in given] == [torch.float32] * 4


def test_it_begins_as_a_linear_layer_over_the_products_does():
    classifier = GroupedBilinear(D, 4, block_size=B)
    bound = (D * B) ** -0.5
    assert classifier.weight.shape == (5, D * B)
    assert classifier.weight.abs().max() <= bound
    assert 0.9 * bound < classifier.weight.abs().max()


def test_a_threshold_that_is_not_learned_is_zero():
    classifier = GroupedBilinear(D, 4, block_size=B, learned_threshold=False).double()
    head, tail = inputs()[:2]
    logits = classifier(head, tail)
    assert logits.shape == (P, 5)
    assert logits[:, 0].tolist() == [0] * P
    expected = wide(head, tail, classifier.weight, classifier.bias)
    torch.testing.assert_close(logits[:, 1:], expected)


def test_settings_that_cannot_be():
    with pytest.raises(ValueError, match="block_size 5 does not divide the width 12"):
        GroupedBilinear(12, 4, block_size=5)
    with pytest.raises(ValueError, match="pair_budget: 0"):
        GroupedBilinear(12, 4, block_size=4, pair_budget=0)
