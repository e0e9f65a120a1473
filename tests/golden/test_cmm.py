"""The concentrated margin loss against numbers that were computed from its formulas alone."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.decoding import ThresholdDecoder
from docre.losses import ConcentratedMarginLoss, concentrated, signed_margins
from docre.losses.concentrated_margin import deviation
from docre.outputs import HeadOutput, Targets
from tests.corpora import golden

CLOSE = {"atol": 1e-10, "rtol": 1e-10}


@cache
def load():
    return load_file(golden("joint/cmm/cmm.safetensors"))


def run(logits, labels, **settings):
    """Loss of each pair, their mean, and its gradient."""
    leaf = logits.clone().requires_grad_()
    parts = ConcentratedMarginLoss(**settings)(HeadOutput(leaf), Targets(labels))
    per_pair = parts.parts["positive"].values + parts.parts["negative"].values
    total = parts.total()
    (gradient,) = torch.autograd.grad(total, leaf)
    return per_pair.detach(), total.detach(), gradient


def close(found, expected):
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("j", range(5))
@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("form", "AB")
def test_cmm_values_and_gradients(form, i, j):
    given = load()
    settings = {
        "optimal_margin": float(given["m_grid"][i]),
        "concentration": float(given["gamma_grid"][j]),
    }
    per_pair, total, gradient = run(given["logits"], given["labels"], form=form, **settings)
    close(per_pair, given[f"{form}.per_pair"][i, j])
    close(total, given[f"{form}.loss"][i, j])
    close(gradient, given[f"{form}.grad"][i, j])


def test_cmm_without_margin_and_concentration():
    given = load()
    per_pair, total, gradient = run(
        given["logits"], given["labels"], optimal_margin=0.0, concentration=0.0
    )
    close(per_pair, given["A.zero.per_pair"])
    close(total, given["A.zero.loss"])
    close(gradient, given["A.zero.grad"])


@pytest.mark.parametrize("form", "AB")
def test_cmm_extreme_logits(form):
    given = load()
    logits, labels = given["extreme.logits"], given["extreme.labels"]
    per_pair, _, gradient = run(logits, labels, form=form, optimal_margin=0.2, concentration=1.4)
    close(per_pair, given[f"extreme.{form}.per_pair"])
    close(gradient, given[f"extreme.{form}.grad"])
    # not exact where the logits themselves are rounded
    in_float32 = run(logits.float(), labels, form=form, optimal_margin=0.2, concentration=1.4)
    expected = given[f"extreme.{form}.per_pair"].float()
    torch.testing.assert_close(in_float32[0], expected, atol=1e-3, rtol=1e-5)
    assert in_float32[2].isfinite().all()


def test_cmm_weights():
    given = load()
    positive = given["labels"][:, 1:].bool()
    margins = signed_margins(given["logits"], given["labels"])
    optima = 1 + 0.2 * (2 * positive.double() - 1)
    weights = deviation(margins.sigmoid(), optima) ** 1.4
    close(weights, given["A.weight_m02_g14"][:, 1:])


def test_cmm_borders_and_ratios():
    given = load()
    for i, m in enumerate(given["m_grid"].tolist()):
        border = given["zero_gradient_margin"][i]
        zero = torch.zeros((), dtype=torch.float64)
        for j, gamma in enumerate(given["gamma_grid"].tolist()):
            assert concentrated(border + 1e-12, zero + 1 - m, gamma) == 0
            assert concentrated(border - 1e-3, zero + 1 - m, gamma) > 0
            ratio = concentrated(zero, zero + 1 + m, gamma) / concentrated(
                zero, 1 - m + zero, gamma
            )
            close(ratio, given["weight_ratio_at_zero_margin"][i, j])


@pytest.mark.parametrize(("top_k", "name"), [(0, "prediction"), (4, "prediction_top4")])
def test_cmm_predictions(top_k, name):
    given = load()
    found = ThresholdDecoder(top_k).mask(given["logits"])
    nothing = ~found.any(1, keepdim=True)
    assert torch.equal(torch.cat([nothing, found], 1), given[name].bool())
