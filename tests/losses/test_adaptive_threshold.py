import math

import pytest
import torch

from docre.losses import AdaptiveThresholdLoss, adaptive_threshold
from tests.losses.cases import parts_of, random_pairs

# A worked example. Its results were computed in float32 and written down with seven digits.
PRINTED = 3e-7
LOGITS = torch.tensor(
    [[0.5, 1.0, -0.3, 2.0], [0.1, 0.2, 0.0, -1.0], [1.0, -0.5, 0.7, 0.2]], dtype=torch.float64
)
LABELS = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]])


def slow(logits, labels):
    positive, negative = [], []
    for row, mask in zip(logits.tolist(), labels.tolist(), strict=True):
        labelled = [c for c in range(1, len(row)) if mask[c]]
        others = [c for c in range(1, len(row)) if not mask[c]]
        among = sum(math.exp(row[c]) for c in [0, *labelled])
        positive.append(-sum(math.log(math.exp(row[r]) / among) for r in labelled))
        among = sum(math.exp(row[c]) for c in [0, *others])
        negative.append(-math.log(math.exp(row[0]) / among))
    return positive, negative


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_definition(seed):
    logits, labels = random_pairs(17, seed)
    found = adaptive_threshold(logits, labels)
    for values, expected in zip(found, slow(logits, labels), strict=True):
        assert values.tolist() == pytest.approx(expected, abs=1e-12)


def test_worked_example():
    positive, negative = adaptive_threshold(LOGITS, LABELS)
    rows = [2.2998383, 1.2068325, 1.3686504]
    assert (positive + negative).tolist() == pytest.approx(rows, abs=PRINTED)
    parts = parts_of(AdaptiveThresholdLoss(), LOGITS, LABELS)
    assert float(parts.total()) == pytest.approx(1.6251072, abs=PRINTED)
    assert float(parts.scalars()["positive"]) == pytest.approx(0.9276977, abs=PRINTED)


def test_column_0_of_the_labels_does_not_matter():
    logits, labels = random_pairs(9)
    flipped = labels.clone()
    flipped[:, 0] = 1 - flipped[:, 0]
    for one, other in zip(
        adaptive_threshold(logits, labels), adaptive_threshold(logits, flipped), strict=True
    ):
        assert torch.equal(one, other)


def test_all_or_no_relations():
    logits, _ = random_pairs(4)
    everything, nothing = torch.ones_like(logits), torch.zeros_like(logits)
    assert (adaptive_threshold(logits, everything)[1] == 0).all()
    assert (adaptive_threshold(logits, nothing)[0] == 0).all()
