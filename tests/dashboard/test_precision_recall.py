"""The curve against a loop over thresholds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from docre.dashboard.precision_recall import curve, margin_counts


def test_curve_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    margins = 3 * torch.randn(50, 7, generator=generator)
    labels = torch.rand(50, 7, generator=generator) < 0.2
    halves = [margin_counts(margins[k::2], labels[k::2], 21) for k in range(2)]
    columns = curve(sum(halves))
    scores = margins.sigmoid()
    for number, threshold in enumerate(np.arange(21) / 20):
        kept = scores >= threshold
        true, false = (kept & labels).sum(), (kept & ~labels).sum()
        rejected, missed = (~kept & ~labels).sum(), (~kept & labels).sum()
        expected = [int(n) for n in (true, false, rejected, missed)]
        assert [column[number] for column in columns[:4]] == expected
        assert columns[4][number] == pytest.approx(true / (true + false) if kept.any() else 0)
        assert columns[5][number] == pytest.approx(true / (true + missed))


def test_the_model_itself_decides_at_one_half():
    margins = torch.tensor([[2.0, -1e-3, -4.0], [1e-3, 0.5, -2.0]])
    labels = torch.tensor([[1, 1, 0], [0, 1, 0]])
    true, false, *_ = curve(margin_counts(margins, labels, 127))
    assert (true[63], false[63]) == (2, 1)


def test_extreme_margins():
    margins = torch.tensor([[float("inf"), -float("inf"), float("nan"), 1e4, -1e4]])
    counts = margin_counts(margins.bfloat16(), torch.ones(1, 5), 127)
    assert counts.sum() == 5
    assert counts[1, -1] == 2
    assert counts[1, 0] == 3
    assert margin_counts(torch.zeros(0, 4), torch.zeros(0, 4)).sum() == 0
