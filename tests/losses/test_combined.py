import pytest
import torch

from docre.losses import (
    AdaptiveThresholdLoss,
    AttentionDistillation,
    CombinedLoss,
    ConcentratedMarginLoss,
    EvidenceLoss,
    LogitDistillation,
    Loss,
    LossPart,
    LossParts,
    PositiveUnlabelledLoss,
)
from docre.outputs import Targets
from tests.losses.cases import PRIORS, parts_of, random_pairs
from tests.losses.scenes import NUM_RELATIONS, Student, scene

LOSSES = (
    lambda: ConcentratedMarginLoss(),
    lambda: EvidenceLoss(weight=0.3),
    lambda: AttentionDistillation(weight=0.7),
    lambda: LogitDistillation(weight=0.2),
)


def given():
    batch, features, teacher = scene()
    output = Student()(features, batch.token_mask[batch.pair_doc])
    return output, Targets(batch.labels(NUM_RELATIONS), batch, teacher)


class Measured(Loss):
    """Names what it gives as it is told."""

    def __init__(self, part, measure):
        super().__init__()
        self.part, self.measure = part, measure

    def forward(self, output, targets):
        values = LossPart(output.logits.sum(1))
        return LossParts({self.part: values}, {self.measure: values})


def test_the_sum_of_all_parts():
    output, targets = given()
    apart = [make()(output, targets) for make in LOSSES]
    together = CombinedLoss([make() for make in LOSSES])(output, targets)
    totals = [float(one.total().detach()) for one in apart]
    assert float(together.total().detach()) == pytest.approx(sum(totals))
    for one in apart:
        for name, value in one.scalars().items():
            assert together.scalars()[name] == value
        for name, value in one.measures.items():
            assert together.measures[name] == value
    assert len(together.parts) == sum(len(one.parts) for one in apart) == 5
    assert len(together.measures) == 2


def test_evaluation_leaves_the_teacher_out():
    output, targets = given()
    without = Targets(targets.labels, targets.batch)
    loss = CombinedLoss([make() for make in LOSSES])
    with pytest.raises(ValueError, match=r"set model\.teacher"):
        loss(output, without)
    assert set(loss.eval()(output, without).parts) == {"positive", "negative", "evidence"}
    # also where there is one
    assert set(loss(output, targets).parts) == {"positive", "negative", "evidence"}
    assert "teacher_logits" in loss.train()(output, targets).parts


def test_names_must_differ():
    logits, labels = random_pairs(4)
    with pytest.raises(ValueError, match="ConcentratedMarginLoss gives 'positive'"):
        parts_of(CombinedLoss([AdaptiveThresholdLoss(), ConcentratedMarginLoss()]), logits, labels)
    for other in (("a", "c"), ("c", "b"), ("b", "c"), ("c", "a")):
        with pytest.raises(ValueError, match=r"Measured gives '[ab]'"):
            parts_of(CombinedLoss([Measured("a", "b"), Measured(*other)]), logits, labels)
    fine = CombinedLoss([Measured("a", "b"), Measured("c", "d")])
    assert set(parts_of(fine, logits, labels).parts) == {"a", "c"}


def test_nothing_left_for_evaluation_is_refused():
    with pytest.raises(ValueError, match="LogitDistillation has no part in evaluation"):
        CombinedLoss([LogitDistillation()])
    with pytest.raises(ValueError, match="a sum of nothing"):
        CombinedLoss([])


def test_it_holds_what_its_losses_hold():
    loss = CombinedLoss([PositiveUnlabelledLoss(PRIORS), EvidenceLoss()])
    assert torch.equal(loss.state_dict()["losses.0.priors"], PRIORS)
    assert not loss.training_only
    half = loss.to(torch.bfloat16)  # priors are not rounded
    assert torch.equal(half.losses[0].priors, PRIORS)


def test_combined_again():
    output, targets = given()
    inner = CombinedLoss([make() for make in LOSSES[1:]])
    outer = CombinedLoss([LOSSES[0](), inner])
    flat = CombinedLoss([make() for make in LOSSES])
    assert torch.equal(outer(output, targets).total(), flat(output, targets).total())
    assert set(outer.eval()(output, targets).parts) == {"positive", "negative", "evidence"}
