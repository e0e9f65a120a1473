"""Equal to the losses and decisions of the published code, value by value."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.decoding import ThresholdDecoder, above_threshold, above_zero
from docre.losses import (
    AdaptiveFocalLoss,
    AdaptiveThresholdLoss,
    BalancedSoftmaxLoss,
    PositiveUnlabelledLoss,
    class_risks,
    class_sums,
)
from docre.outputs import HeadOutput, Targets
from tests.corpora import golden

SETS = ("A", "B", "C", "D")
RISKS = {"PN": "pn", "PU": "pu", "S-PU": "s-pu"}
# numbers for parts that are not losses of labels and logits
ELSEWHERE = ("E.", "kd_mse", "increase")


@cache
def load(name):
    return load_file(golden(f"losses/{name}.safetensors"))


@cache
def grid(number):
    """Settings of one column of the grid, under our names."""
    given = json.loads(golden("losses/meta.json").read_text())["pu_grid"][number]
    return {
        "margin": given["m"],
        "prior_multiple": given["e"],
        "beta": given["beta"],
        "gamma": given["gamma"],
    }


def unranked(logits):
    """Scores without a threshold are scores with the threshold 0."""
    return torch.cat([torch.zeros_like(logits[:, :1]), logits], 1)


def check(name, loss, logits, labels, part=None, ranked=True):
    """Compare value, value in float32 and gradient, as far as the file has them."""
    outputs = load("outputs")

    def value(given):
        parts = loss(HeadOutput(given if ranked else unranked(given)), Targets(labels))
        return parts.scalars()[part] if part else parts.total()

    expected = float(outputs[f"{name}.value"])
    assert float(value(logits)) == pytest.approx(expected, abs=1e-9, rel=1e-9)
    if f"{name}.value_f32" in outputs:
        found = value(logits.float())
        assert found.dtype == torch.float32
        expected = float(outputs[f"{name}.value_f32"])
        assert float(found) == pytest.approx(expected, abs=2e-5, rel=1e-5)
    if f"{name}.grad" in outputs:
        leaf = logits.clone().requires_grad_()
        parts = loss(HeadOutput(leaf if ranked else unranked(leaf)), Targets(labels))
        kept = parts.parts[part].values.mean() if part else parts.total()
        (gradient,) = torch.autograd.grad(kept, leaf)
        expected = outputs[f"{name}.grad"]
        # some are stored in float32 to save room
        bound = 1e-9 if expected.dtype == torch.float64 else 1e-6
        torch.testing.assert_close(gradient, expected.double(), atol=bound, rtol=bound)


PER_PAIR = {
    "atl": lambda: AdaptiveThresholdLoss(),
    "afl_g0.5": lambda: AdaptiveFocalLoss(gamma=0.5),
    "afl_g1.0": lambda: AdaptiveFocalLoss(gamma=1.0),
    "afl_g2.0": lambda: AdaptiveFocalLoss(gamma=2.0),
    "balanced": lambda: BalancedSoftmaxLoss(),
    "ttm.ATLoss": lambda: AdaptiveThresholdLoss(),
    "ttm.AFLoss": lambda: AdaptiveFocalLoss(),
}
PER_PAIR_IDS = ("threshold", "focal0.5", "focal1", "focal2", "balanced", "same1", "same2")


@pytest.mark.parametrize("name", PER_PAIR, ids=PER_PAIR_IDS)
@pytest.mark.parametrize("k", SETS)
def test_losses_per_pair(k, name):
    if k == "A" and name in ("afl_g0.5", "afl_g2.0"):
        assert f"{k}.{name}.value" not in load("outputs")
        return
    inputs = load("inputs")
    check(f"{k}.{name}", PER_PAIR[name](), inputs[f"{k}.logits"], inputs[f"{k}.labels"])


@pytest.mark.parametrize("k", SETS)
def test_losses_positive_part(k):
    inputs = load("inputs")
    loss = AdaptiveThresholdLoss()
    name = f"{k}.ttm.pos-ATLoss"
    check(name, loss, inputs[f"{k}.logits"], inputs[f"{k}.labels"], part="positive")


@pytest.mark.parametrize("name", ["atl", "afl_g1.0", "balanced"], ids=["threshold", "focal", "sum"])
def test_losses_large_logits(name):
    inputs = load("inputs")
    check(f"B_large.{name}", PER_PAIR[name](), inputs["B.logits_large"], inputs["B.labels"])


@pytest.mark.parametrize("k", SETS)
def test_losses_leave_the_labels(k):
    """The published code sets column 0 to 0 in the caller's labels; the result is the same."""
    labels = load("inputs")[f"{k}.labels"]
    edited = load("outputs")[f"{k}.atl.labels_after"]
    assert (edited[:, 0] == 0).all()
    assert torch.equal(edited[:, 1:], labels[:, 1:])
    before = labels.clone()
    check(f"{k}.atl", AdaptiveThresholdLoss(), load("inputs")[f"{k}.logits"], labels)
    assert torch.equal(labels, before)
    check(f"{k}.atl", AdaptiveThresholdLoss(), load("inputs")[f"{k}.logits"], edited)


RISK_CASES = [
    pytest.param(risk, ranked, number, id=f"{ours}-{'ranked' if ranked else 'plain'}-{number}")
    for risk, ours in RISKS.items()
    for ranked in (True, False)
    for number in range(3 if risk == "PN" else 4)
]


@pytest.mark.parametrize(("risk", "ranked", "number"), RISK_CASES)
@pytest.mark.parametrize("k", SETS)
def test_losses_risks(k, risk, ranked, number):
    inputs, outputs = load("inputs"), load("outputs")
    logits = inputs[f"{k}.logits" if ranked else f"{k}.logits_norank"]
    labels, priors = inputs[f"{k}.labels"], inputs[f"{k}.priors"]
    name = f"{k}.ssrpu.{risk}.rank{int(ranked)}.grid{number}"
    loss = PositiveUnlabelledLoss(priors, risk=RISKS[risk], scale=0.25, **grid(number))
    check(name, loss, logits, labels, ranked=ranked)
    if f"{name}.risk1" in outputs:
        sums = class_sums(logits if ranked else unranked(logits), labels, loss.margin, loss.scale)
        negative, positive = class_risks(sums, *loss.both_priors(), loss.risk)
        for found, expected in ((negative, "risk1"), (positive, "risk2")):
            expected = outputs[f"{name}.{expected}"]
            torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)
        fired = (negative < loss.beta) & (risk != "PN")
        assert torch.equal(fired, outputs[f"{name}.fired"].bool())


def test_losses_risks_meet_every_branch():
    """Somewhere the correction fires, and somewhere it does not."""
    fired = [value for name, value in load("outputs").items() if name.endswith(".fired")]
    assert fired
    assert any(value.any() for value in fired)
    assert any(not value.all() for value in fired)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("risk", ["PU", "S-PU"], ids=["pu", "s-pu"])
@pytest.mark.parametrize("k", SETS)
def test_losses_risks_squared(k, risk, number):
    inputs = load("inputs")
    loss = PositiveUnlabelledLoss(
        inputs[f"{k}.priors"], risk=RISKS[risk], scale=1.0, prior_floor=1e-9, **grid(number)
    )
    name = f"{k}.ttm.{risk}.grid{number}"
    check(name, loss, inputs[f"{k}.logits"], inputs[f"{k}.labels"])


@pytest.mark.parametrize("risk", ["PN", "S-PU"], ids=["pn", "s-pu"])
def test_losses_zero_prior(risk):
    """Not a number in the published code; here the limit."""
    inputs, outputs = load("inputs"), load("outputs")
    assert outputs[f"B_zero_prior.ssrpu.{risk}.rank1.value"].isnan()
    priors = inputs["B.priors_with_zero"]
    logits = inputs["B.logits"].clone().requires_grad_()

    def total(priors):
        loss = PositiveUnlabelledLoss(priors, risk=RISKS[risk], **grid(1))
        return loss(HeadOutput(logits), Targets(inputs["B.labels"])).total()

    value = total(priors)
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient.isfinite().all()
    # sqrt(3e-16) of a positive risk is left
    nearly = total(priors.clamp(min=1e-16))
    torch.testing.assert_close(value, nearly, rtol=1e-6, atol=0)


def test_losses_zero_prior_squared():
    inputs = load("inputs")
    loss = PositiveUnlabelledLoss(
        inputs["B.priors_with_zero"], scale=1.0, prior_floor=1e-9, **grid(1)
    )
    check("B_zero_prior.ttm.S-PU", loss, inputs["B.logits"], inputs["B.labels"])


@pytest.mark.parametrize("top_k", [-1, 1, 3, 4])
@pytest.mark.parametrize(
    ("rule", "name"), [(above_threshold, "label_th"), (above_zero, "label_zero")]
)
@pytest.mark.parametrize("k", SETS)
def test_losses_decisions(k, rule, name, top_k):
    mask = rule(load("inputs")[f"{k}.logits"], top_k)
    nothing = ~mask.any(1, keepdim=True)
    expected = load("outputs")[f"{k}.{name}_top{top_k}"]
    assert torch.equal(torch.cat([nothing, mask], 1), expected.bool())


@pytest.mark.parametrize("k", SETS)
def test_losses_scores(k):
    """What is decoded with 4 places is among the four largest."""
    outputs = load("outputs")
    largest, columns = outputs[f"{k}.score_top4"], outputs[f"{k}.score_top4_index"]
    logits = load("inputs")[f"{k}.logits"]
    decoded = ThresholdDecoder(4).decode(logits)
    assert len(decoded) > 0
    assert torch.equal(logits.gather(1, columns), largest)
    listed = largest[decoded.pair] == decoded.score[:, None]
    assert listed.any(1).all()


def test_losses_are_all_there():
    """Every number of the file is compared by one of the tests above."""
    compared = {f"{k}.{name}" for k in SETS for name in PER_PAIR}
    compared |= {f"{k}.ttm.pos-ATLoss" for k in SETS}
    compared |= {f"B_large.{name}" for name in ("atl", "afl_g1.0", "balanced")}
    compared |= {
        f"{k}.ssrpu.{risk}.rank{int(ranked)}.grid{number}"
        for k in SETS
        for risk, ranked, number in (case.values for case in RISK_CASES)
    }
    compared |= {f"{k}.ttm.{r}.grid{n}" for k in SETS for r in ("PU", "S-PU") for n in range(4)}
    compared |= {f"B_zero_prior.ssrpu.{risk}.rank1" for risk in ("PN", "S-PU")}
    compared |= {"B_zero_prior.ttm.S-PU"}
    ends = ("value", "value_f32", "grad", "risk1", "risk2", "fired", "labels_after")
    there = {f"{name}.{end}" for name in compared for end in ends}
    there |= {f"{k}.label_{r}_top{n}" for k in SETS for r in ("th", "zero") for n in (-1, 1, 3, 4)}
    there |= {f"{k}.score_top4{end}" for k in SETS for end in ("", "_index")}
    wanted = {n for n in load("outputs") if not any(part in n for part in ELSEWHERE)}
    assert wanted <= there, sorted(wanted - there)
