import math

import pytest
import torch

from docre.losses import BalancedSoftmaxLoss, balanced_softmax
from tests.losses.cases import parts_of, random_pairs
from tests.losses.test_adaptive_threshold import LABELS, LOGITS, PRINTED


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_definition(seed):
    logits, labels = random_pairs(17, seed)
    positive, negative = balanced_softmax(logits, labels)
    for i, (row, mask) in enumerate(zip(logits.tolist(), labels.tolist(), strict=True)):
        above = 1 + sum(math.exp(-s) for s, y in zip(row, mask, strict=True) if y)
        below = 1 + sum(math.exp(s) for s, y in zip(row, mask, strict=True) if not y)
        assert float(positive[i]) == pytest.approx(math.log(above), abs=1e-12)
        assert float(negative[i]) == pytest.approx(math.log(below), abs=1e-12)


def test_worked_example():
    total = parts_of(BalancedSoftmaxLoss(), LOGITS, LABELS).total()
    assert float(total) == pytest.approx(1.8889836, abs=PRINTED)


def test_column_0_is_a_class():
    logits, labels = random_pairs(6)
    labels[:, 0] = 1
    positive, _ = balanced_softmax(logits, labels)
    raised = logits.clone()
    raised[:, 0] += 1
    assert (balanced_softmax(raised, labels)[0] < positive).all()
    assert torch.equal(
        balanced_softmax(logits, torch.zeros_like(labels))[0], torch.zeros(6).double()
    )
