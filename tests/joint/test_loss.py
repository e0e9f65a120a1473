"""The loss, beside its formula."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from docre.joint import JointLogits, JointLoss, JointTargets, joint_loss
from docre.losses import (
    AdaptiveThresholdLoss,
    BalancedSoftmaxLoss,
    ConcentratedMarginLoss,
    PositiveUnlabelledLoss,
)
from docre.outputs import HeadOutput, Targets
from tests.joint.scenes import RELATIONS, documents, rich, training_batch

PRIORS = torch.tensor([0.1, 0.2, 0.05, 0.3, 0.1, 0.2])
THRESHOLD_LOSSES = [
    AdaptiveThresholdLoss,
    BalancedSoftmaxLoss,
    ConcentratedMarginLoss,
    PositiveUnlabelledLoss,
]


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


HEADS = ("mention", "coreference", "entity", "relation")


@pytest.mark.parametrize("row", [HEADS[a:b] for a in range(4) for b in range(a + 1, 5)])
def test_heads_that_are_missing_have_no_part(row):
    of = logits()
    few = JointLogits(**{name: getattr(of, name) for name in row})
    parts, whole = joint_loss(few, targets(of)), joint_loss(of, targets(of))
    assert parts.scalars() == {name: whole.scalars()[name] for name in row}
    made = JointLoss()(few, targets(of))
    assert torch.equal(made.total(), parts.total())


def test_nothing_was_said():
    with pytest.raises(ValueError, match="without a part"):
        joint_loss(JointLogits(), targets(logits()))


def test_types_that_are_not_known():
    of = logits()
    truth = targets(of)
    some = replace(truth, entity=torch.tensor([0, -1, 2]))
    expected = -(of.entity.log_softmax(1)[0, 0] + of.entity.log_softmax(1)[2, 2]) / 2
    torch.testing.assert_close(joint_loss(of, some).scalars()["entity"], expected)
    none = replace(truth, entity=torch.tensor([-1, -1, -1]))
    assert joint_loss(of, none).scalars()["entity"] == 0


def test_the_class_is_the_function():
    of, weights = logits(), {"mention_weight": 0.5, "entity_weight": 2.0, "relation_weight": 3.0}
    made = JointLoss(PRIORS, **weights)
    assert not made.needs_threshold
    found, expected = made(of, targets(of)), joint_loss(of, targets(of), **weights)
    assert found.scalars() == expected.scalars()
    assert torch.equal(found.total(), expected.total())
    assert all(part.across_ranks for part in found.parts.values())
    alone = JointLoss(across_ranks=False)(of, targets(of))
    assert not any(part.across_ranks for part in alone.parts.values())


@pytest.mark.parametrize("loss", THRESHOLD_LOSSES)
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_a_loss_of_relations(loss, weight):
    of, truth = logits(), targets(logits())
    torch.manual_seed(3)
    scores = torch.randn(4, 7)
    # the last pair has no relation, and what has none is the class of none
    labels = torch.tensor([[1, 0, 0, 1, 0, 0], [0] * 6, [0, 0, 1, 0, 0, 0], [0] * 6])
    of, truth = replace(of, relation=scores), replace(truth, relation=labels)
    made = JointLoss(PRIORS, relation=loss, relation_weight=weight)
    assert made.needs_threshold
    found = made(of, truth)
    with_none = torch.tensor([[0, *row] if any(row) else [1, *row] for row in labels.tolist()])
    alone = loss(PRIORS)(HeadOutput(scores), Targets(with_none.float()))
    rest = joint_loss(replace(of, relation=None), truth)
    torch.testing.assert_close(found.total(), rest.total() + weight * alone.total())
    parts = {f"relation/{name}": value for name, value in alone.scalars().items()}
    assert found.scalars() == {**rest.scalars(), **parts}
    measures = {f"relation/{name}": value for name, value in alone.measures.items()}
    assert dict(found.measures) == measures
    just_relations = made(JointLogits(relation=scores), truth)
    torch.testing.assert_close(just_relations.total(), weight * alone.total())
    nobody_asks = made(replace(of, relation=None), truth)
    assert torch.equal(nobody_asks.total(), rest.total())


@pytest.mark.parametrize("loss", THRESHOLD_LOSSES)
def test_a_loss_of_relations_without_rows(loss):
    of = logits(p=0)
    scores = torch.zeros(0, 7, requires_grad=True)
    made = JointLoss(PRIORS, relation=loss)(replace(of, relation=scores), targets(of))
    parts = [value for name, value in made.scalars().items() if name.startswith("relation/")]
    assert parts
    assert all(value == 0 for value in parts)
    made.total().backward()
    assert scores.grad is not None


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="entity_weight"):
        JointLoss(entity_weight=-1.0)
    with pytest.raises(ValueError, match="priors"):
        JointLoss(relation=AdaptiveThresholdLoss)
    of = logits()
    with pytest.raises(ValueError, match="1 \\+ R"):  # no threshold to compare with
        JointLoss(PRIORS, relation=AdaptiveThresholdLoss)(of, targets(of))


def test_targets_of_a_sample():
    sample = training_batch(documents()).sample
    found = JointTargets.of(sample, RELATIONS)
    assert torch.equal(found.mention, sample.mention_target)
    assert torch.equal(found.coreference, sample.coreference_target)
    assert torch.equal(found.entity, sample.entity_type)
    one = rich()
    labels = set(
        zip(
            one.label_head.tolist(),
            one.label_tail.tolist(),
            one.label_relation.tolist(),
            strict=True,
        )
    )
    rows = zip(sample.pair_head.tolist(), sample.pair_tail.tolist(), strict=True)
    for row, (head, tail) in enumerate(rows):
        if head < 5:  # those of the first document
            holding = {(head, tail, r) for r in range(RELATIONS) if found.relation[row, r]}
            assert holding == {label for label in labels if label[:2] == (head, tail)}
