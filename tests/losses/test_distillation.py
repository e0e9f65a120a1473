import math

import pytest
import torch

from docre.losses import (
    AdaptiveThresholdLoss,
    AttentionDistillation,
    DistillationLoss,
    EvidenceLoss,
    LogitDistillation,
)
from docre.outputs import AttentionMaps, HeadOutput, PairContext, Targets, TeacherTargets
from tests.losses.cases import random_pairs


def maps_of(count, width, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator, dtype=dtype).softmax(-1)


def attentive(maps, index=None):
    pairs = len(maps if index is None else index)
    return HeadOutput(torch.zeros(pairs, 4), PairContext(maps, index, AttentionMaps(maps, index)))


def targets(**teacher):
    return Targets(torch.zeros(1, 4), teacher=TeacherTargets(**teacher))


def test_attention_is_compared_pair_by_pair():
    found, target = maps_of(5, 7), maps_of(5, 7, seed=1)
    target[2, :4] = 0  # as at tokens of padding
    found[3, 5] = 0
    expected = 0.0
    for t, p in zip(target.flatten().tolist(), found.flatten().tolist(), strict=True):
        expected += t * (math.log(t) - math.log(p or 1e-30)) if t else 0.0
    loss = AttentionDistillation(weight=0.2)
    parts = loss(attentive(found), targets(attention=AttentionMaps(target)))
    mean = float(parts.scalars()["teacher_attention"])
    assert mean == pytest.approx(expected / 5, rel=1e-12)
    assert float(parts.total()) == pytest.approx(0.2 * expected / 5, rel=1e-12)


def test_maps_may_be_shared_by_both():
    found, target = maps_of(3, 7), maps_of(4, 7, seed=1)
    ours, theirs = torch.tensor([0, 2, 1, 0, 2]), torch.tensor([3, 1, 1, 0, 2])
    loss = AttentionDistillation()
    shared = loss(attentive(found, ours), targets(attention=AttentionMaps(target, theirs)))
    whole = loss(attentive(found[ours]), targets(attention=AttentionMaps(target[theirs])))
    assert torch.equal(shared.total(), whole.total())


def test_only_the_student_learns():
    found = maps_of(5, 7).requires_grad_()
    target = maps_of(5, 7, seed=1).requires_grad_()
    values = torch.randn(5, 4, dtype=torch.float64).requires_grad_()
    logits = torch.randn(5, 4, dtype=torch.float64).requires_grad_()
    output = HeadOutput(logits, PairContext(found, None, AttentionMaps(found)))
    given = targets(values=values, attention=AttentionMaps(target))
    for loss in (AttentionDistillation(), LogitDistillation()):
        loss(output, given).total().backward()
    assert found.grad.any()
    assert logits.grad.any()
    assert target.grad is None
    assert values.grad is None


def test_gradients():
    target = maps_of(5, 7, seed=1)
    given = targets(values=random_pairs(5)[0], attention=AttentionMaps(target))

    def attention(maps):
        return AttentionDistillation()(attentive(maps), given).total()

    def logits(scores):
        return LogitDistillation()(HeadOutput(scores), given).total()

    assert torch.autograd.gradcheck(attention, [maps_of(5, 7).requires_grad_()])
    assert torch.autograd.gradcheck(logits, [random_pairs(5, seed=2)[0].requires_grad_()])


def test_nothing_to_learn_from_oneself():
    maps, (logits, _) = maps_of(4, 6), random_pairs(4)
    given = targets(values=logits, attention=AttentionMaps(maps))
    assert float(AttentionDistillation()(attentive(maps), given).total()) == pytest.approx(0)
    assert LogitDistillation()(HeadOutput(logits), given).total() == 0


def test_logits_are_compared_entry_by_entry():
    logits, teacher = random_pairs(6)[0], random_pairs(6, seed=1)[0]
    parts = LogitDistillation(weight=0.5)(HeadOutput(logits), targets(values=teacher))
    pairs = zip(logits.flatten().tolist(), teacher.flatten().tolist(), strict=True)
    expected = sum((a - b) ** 2 for a, b in pairs) / logits.numel()
    assert float(parts.scalars()["teacher_logits"]) == pytest.approx(expected, rel=1e-12)
    assert float(parts.total()) == pytest.approx(expected / 2, rel=1e-12)


def test_a_teacher_may_give_some_columns():
    logits, teacher = random_pairs(6)[0], random_pairs(6, seed=1)[0]
    values, columns = teacher.topk(3, dim=1)
    parts = LogitDistillation()(HeadOutput(logits), targets(values=values, columns=columns))
    expected = 0.0
    for row, (some, where) in enumerate(zip(values.tolist(), columns.tolist(), strict=True)):
        expected += sum((float(logits[row, c]) - v) ** 2 for v, c in zip(some, where, strict=True))
    assert float(parts.total()) == pytest.approx(expected / 18, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_at_least_float32_and_finite(dtype):
    logits = torch.tensor([[1e4, -1e4, 0.0]], dtype=dtype).requires_grad_()
    total = LogitDistillation()(HeadOutput(logits), targets(values=-logits.detach())).total()
    (gradient,) = torch.autograd.grad(total, logits)
    assert total.dtype == torch.float32
    assert float(total) == pytest.approx(8e8 / 3, rel=1e-2)
    assert gradient.isfinite().all()
    found = torch.tensor([[1.0, 0.0, 0.0]], dtype=dtype).requires_grad_()
    aside = AttentionMaps(torch.tensor([[0.0, 0.5, 0.5]], dtype=dtype))
    total = AttentionDistillation()(attentive(found), targets(attention=aside)).total()
    (gradient,) = torch.autograd.grad(total, found)
    assert total.dtype == torch.float32
    assert float(total) == pytest.approx(0.1 * (math.log(0.5) + 30 * math.log(10)), rel=1e-5)
    assert gradient.isfinite().all()


def test_no_pairs():
    maps = torch.zeros(0, 6, requires_grad=True)
    logits = torch.zeros(0, 4, requires_grad=True)
    output = HeadOutput(logits, PairContext(maps, None, AttentionMaps(maps)))
    given = targets(values=torch.zeros(0, 4), attention=AttentionMaps(torch.zeros(0, 6)))
    for loss in (AttentionDistillation(), LogitDistillation()):
        total = loss(output, given).total()
        total.backward()
        assert total == 0


def test_a_missing_teacher_is_never_silent():
    output = attentive(maps_of(3, 5))
    for loss in (AttentionDistillation(), LogitDistillation()):
        with pytest.raises(ValueError, match=r"there is none: set model\.teacher"):
            loss(output, Targets(torch.zeros(3, 4)))
    with pytest.raises(ValueError, match=r"model\.teacher gives no attention"):
        AttentionDistillation()(output, targets(values=torch.zeros(3, 4)))
    with pytest.raises(ValueError, match=r"model\.teacher gives no logits"):
        LogitDistillation()(output, targets(attention=AttentionMaps(maps_of(3, 5))))


def test_a_teacher_of_something_else_is_refused():
    output = attentive(maps_of(3, 5))
    with pytest.raises(ValueError, match=r"attention .* not \(3, 4\) and \(3, 5\)"):
        AttentionDistillation()(output, targets(attention=AttentionMaps(maps_of(3, 4))))
    with pytest.raises(ValueError, match=r"attention .* not \(1, 5\) and \(3, 5\)"):
        AttentionDistillation()(output, targets(attention=AttentionMaps(maps_of(1, 5))))
    with pytest.raises(ValueError, match=r"logits .* not \(1, 4\) and \(3, 4\)"):
        LogitDistillation()(output, targets(values=torch.zeros(1, 4)))
    columns = torch.zeros(2, 2, dtype=torch.long)
    with pytest.raises(ValueError, match=r"logits .* not \(2, 2\) and \(3, 4\)"):
        LogitDistillation()(output, targets(values=torch.zeros(2, 2), columns=columns))
    with pytest.raises(ValueError, match=r"columns .* not \(2, 2\) and \(3, 2\)"):
        LogitDistillation()(output, targets(values=torch.zeros(3, 2), columns=columns))
    without = HeadOutput(torch.zeros(3, 4), PairContext(torch.zeros(3, 2)))
    with pytest.raises(ValueError, match="this head's context does not come from tokens"):
        AttentionDistillation()(without, targets(attention=AttentionMaps(maps_of(3, 5))))


def test_distillation_belongs_to_training():
    for kind in (AttentionDistillation, LogitDistillation):
        assert issubclass(kind, DistillationLoss)
        assert kind().training_only
    for kind in (EvidenceLoss, AdaptiveThresholdLoss):
        assert not kind().training_only
    with pytest.raises(ValueError, match="weight is at least 0"):
        LogitDistillation(weight=-0.5)
