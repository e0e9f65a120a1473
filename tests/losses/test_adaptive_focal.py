import math

import pytest
import torch

from docre.losses import AdaptiveFocalLoss, adaptive_focal, adaptive_threshold
from tests.losses.cases import parts_of, random_pairs
from tests.losses.test_adaptive_threshold import LABELS, LOGITS, PRINTED


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_equal_to_the_definition(gamma):
    logits, labels = random_pairs(17)
    positive, negative = adaptive_focal(logits, labels, gamma)
    for row, mask, value in zip(logits.tolist(), labels.tolist(), positive.tolist(), strict=True):
        expected = 0.0
        for c in range(1, len(row)):
            if mask[c]:
                s = 1 / (1 + math.exp(row[0] - row[c]))
                expected -= (1 + (1 - s) ** gamma) * math.log(s)
        assert value == pytest.approx(expected, abs=1e-12)
    assert torch.equal(negative, adaptive_threshold(logits, labels)[1])


def test_worked_example():
    total = parts_of(AdaptiveFocalLoss(), LOGITS, LABELS).total()
    assert float(total) == pytest.approx(1.4428594, abs=PRINTED)


@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 1.0])
def test_gradient_where_the_factor_underflows(gamma):
    """A positive so sure that ``1 - s`` is 0, and its power has no finite slope."""
    logits = torch.tensor([[-1e4, 1e4, 0.0], [0.0, 800.0, 0.0]], requires_grad=True)
    labels = torch.tensor([[0, 1, 0], [0, 1, 0]])
    adaptive_focal(logits, labels, gamma)[0].sum().backward()
    assert logits.grad.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="gamma is at least 0, not -1"):
        AdaptiveFocalLoss(gamma=-1)
