import pytest
import torch
from torch import nn

from docre.losses import Loss, LossPart, LossParts, at_least_float32, logits_and_labels
from docre.outputs import HeadOutput, Targets


def test_parts_become_one_number():
    near = torch.tensor([1.0, 2.0, 6.0])
    far = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    parts = LossParts({"near": LossPart(near), "far": LossPart(far, "sum", weight=0.5)})
    assert parts.scalars() == {"near": 3.0, "far": 10.0}
    assert parts.total() == 3.0 + 0.5 * 10.0


def test_scalars_are_for_logging_and_the_total_for_training():
    values = torch.ones(3, requires_grad=True)
    parts = LossParts({"near": LossPart(values, weight=2.0)})
    assert not any(value.requires_grad for value in parts.scalars().values())
    parts.total().backward()
    assert values.grad.tolist() == pytest.approx([2 / 3] * 3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_nothing_is_zero_with_a_graph(reduction):
    values = torch.empty(0, requires_grad=True)
    total = LossParts({"near": LossPart(values, reduction)}).total()
    total.backward()
    assert total == 0
    assert values.grad.shape == (0,)


def test_half_precision_is_added_up_in_float32():
    values = torch.full((100_000,), 0.1, dtype=torch.bfloat16)
    total = LossParts({"near": LossPart(values, "sum")}).total()
    assert total.dtype == torch.float32
    assert total == pytest.approx(100_000 * float(values[0]), rel=1e-5)


def test_at_least_float32():
    for given, found in {
        torch.bfloat16: torch.float32,
        torch.float16: torch.float32,
        torch.float32: torch.float32,
        torch.float64: torch.float64,
    }.items():
        assert at_least_float32(torch.zeros(1, dtype=given)).dtype == found


def test_impossible_parts_are_refused():
    with pytest.raises(ValueError, match="without a part"):
        LossParts({})
    part = LossPart(torch.ones(2))
    with pytest.raises(ValueError, match="the same name"):
        LossParts({"near": part}, {"near": part})
    with pytest.raises(ValueError, match="far is measured over ranks, too"):
        LossParts({"near": part}, {"far": torch.ones(())})
    with pytest.raises(ValueError, match="'mean' or 'sum', not 'max'"):
        LossPart(torch.zeros(1), "max")
    with pytest.raises(ValueError, match=r"not \(2, 4\) and \(2, 3\)"):
        logits_and_labels(HeadOutput(torch.zeros(2, 4)), Targets(torch.zeros(2, 3)))
    # one pair would broadcast
    with pytest.raises(ValueError, match=r"not \(2, 4\) and \(1, 4\)"):
        logits_and_labels(HeadOutput(torch.zeros(2, 4)), Targets(torch.zeros(1, 4)))


def test_a_loss_of_ones_own_needs_a_forward_and_nothing_else():
    class Increase(Loss):
        def forward(self, output, targets):
            return LossParts({"increase": LossPart(-output.logits)})

    loss = Increase(torch.ones(3))
    assert isinstance(loss, nn.Module)
    assert loss(HeadOutput(torch.ones(2, 4)), Targets(torch.ones(2, 4))).total() == -1
    with pytest.raises(TypeError, match="abstract"):
        Loss()


def test_a_count_divides_a_mean_only():
    values, count = torch.ones(4), torch.tensor(2)
    assert float(LossParts({"a": LossPart(values, count=count)}).total()) == 2
    with pytest.raises(ValueError, match="count divides a mean"):
        LossPart(values, "sum", count=count)
