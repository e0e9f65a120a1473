"""The loss, beside its formula."""

from __future__ import annotations

import math

import pytest
import torch

from docre.joint import JointLogits, JointTargets, joint_loss


def logits(n=5, c=4, e=3, p=2):
    torch.manual_seed(0)
    return JointLogits(torch.randn(n), torch.randn(c), torch.randn(e, 4), torch.randn(p, 6))


def targets(of):
    return JointTargets(
        torch.arange(len(of.mention)) % 2,
        torch.arange(len(of.coreference)) % 2,
        torch.arange(len(of.entity)),
        (torch.arange(of.relation.numel()) % 3 == 0).reshape(of.relation.shape),
    )


def binary(scores, truth):
    return [
        math.log1p(math.exp(-s if t else s))
        for s, t in zip(scores.flatten().tolist(), truth.flatten().tolist(), strict=True)
    ]


def test_parts_and_total():
    of = logits()
    truth = targets(of)
    parts = joint_loss(of, truth)
    log_softmax = of.entity.log_softmax(1)
    expected = {
        "mention": sum(binary(of.mention, truth.mention)) / 5,
        "coreference": sum(binary(of.coreference, truth.coreference)) / 4,
        "entity": -sum(float(log_softmax[row, row]) for row in range(3)) / 3,
        "relation": sum(binary(of.relation, truth.relation)) / 2,
    }
    assert {name: float(value) for name, value in parts.scalars().items()} == pytest.approx(
        expected
    )
    total = expected["mention"] + expected["coreference"] + expected["relation"]
    assert float(parts.total()) == pytest.approx(total + 0.25 * expected["entity"])
    other = joint_loss(
        of,
        truth,
        mention_weight=0.0,
        coreference_weight=2.0,
        entity_weight=0.0,
        relation_weight=0.0,
    )
    assert float(other.total()) == pytest.approx(2 * expected["coreference"])


def test_parts_without_rows_are_zero():
    of = logits(n=3, c=0, e=0, p=0)
    parts = joint_loss(of, targets(of))
    scalars = parts.scalars()
    assert [float(scalars[name]) for name in ("coreference", "entity", "relation")] == [0, 0, 0]
    assert float(parts.total()) == float(scalars["mention"]) > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_scores(dtype):
    of = logits()
    large = [(1e4 * getattr(of, name).sign()).to(dtype).requires_grad_() for name in of.__slots__]
    total = joint_loss(JointLogits(*large), targets(of)).total()
    assert total.dtype == torch.float32
    total.backward()
    assert bool(total.isfinite())
    assert all(bool(each.grad.isfinite().all()) for each in large)


def test_shapes_that_differ_are_refused():
    of = logits()
    truth = targets(of)
    wrong = JointTargets(truth.mention[:1], truth.coreference, truth.entity, truth.relation)
    with pytest.raises(ValueError, match="size"):
        joint_loss(of, wrong)
