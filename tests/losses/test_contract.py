"""What holds for every loss."""

import itertools
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import docre.losses
from docre.losses import Loss, concentrated_margin
from tests.losses.cases import (
    BOUNDED,
    LOSSES,
    NUM_RELATIONS,
    PRIORS,
    parts_of,
    random_pairs,
    total,
)

HALF = (torch.bfloat16, torch.float16)


@pytest.fixture(params=LOSSES)
def build(request):
    return LOSSES[request.param]


def test_gradient(build, monkeypatch):
    """Weights that are not to have a gradient are held where they are."""
    loss = build(PRIORS)
    logits, labels = random_pairs(11)
    logits.requires_grad_()
    weigh = concentrated_margin.deviation
    weights = []

    def noted(*given):
        weights.append(weigh(*given))
        return weights[-1]

    monkeypatch.setattr(concentrated_margin, "deviation", noted)
    (gradient,) = torch.autograd.grad(total(loss, logits, labels), logits)
    held = itertools.cycle([weight.detach().clone() for weight in weights])
    monkeypatch.setattr(concentrated_margin, "deviation", lambda *given: next(held))
    (expected,) = torch.autograd.grad(total(loss, logits, labels), logits)
    assert torch.equal(gradient, expected)
    assert torch.autograd.gradcheck(lambda given: total(loss, given, labels), [logits])


@pytest.mark.parametrize("labels_in", [torch.uint8, torch.bool, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALF])
def test_at_least_float32(build, dtype, labels_in):
    logits, labels = random_pairs(13)
    logits = logits.to(dtype)
    parts = parts_of(build(PRIORS), logits, labels.to(labels_in))
    expected = torch.float64 if dtype == torch.float64 else torch.float32
    assert parts.total().dtype == expected
    assert all(value.dtype == expected for value in parts.scalars().values())
    exact = float(total(build(PRIORS), logits.double(), labels))
    assert float(parts.total()) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("dtype", HALF)
def test_autocast_changes_nothing(build, dtype):
    logits, labels = random_pairs(13)
    logits = logits.to(dtype)
    plain = total(build(PRIORS), logits, labels)
    with torch.autocast("cpu", dtype):
        assert torch.equal(total(build(PRIORS), logits, labels), plain)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALF])
def test_finite_for_large_logits(build, dtype):
    sign = torch.tensor([[1.0, -1], [-1, 1], [1, 1], [-1, -1]])
    logits = 1e4 * sign.repeat(1, 3)
    logits = torch.cat([logits, random_pairs(4, dtype=torch.float32)[0]]).to(dtype)
    _, labels = random_pairs(8)
    logits.requires_grad_()
    for labelled in (labels, torch.zeros_like(labels), torch.ones_like(labels)):
        value = total(build(PRIORS), logits, labelled)
        (gradient,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert gradient.dtype == dtype


@pytest.mark.parametrize("name", LOSSES)
def test_large_logits_are_right_too(name):
    """In float64 nothing is lost by size: the loss is (piecewise) linear or quadratic out there."""
    build = LOSSES[name]
    logits, labels = random_pairs(6)
    value = total(build(PRIORS), 1e4 * logits, labels)
    half = total(build(PRIORS), 5e3 * logits, labels)
    power = value / half
    if name in BOUNDED:
        assert power == pytest.approx(1, rel=1e-3)
        return
    assert power == pytest.approx(2, rel=1e-3) or power == pytest.approx(4, rel=1e-3)


def test_the_callers_tensors_stay(build):
    logits, labels = random_pairs(12)
    priors = PRIORS.clone()
    before = [tensor.clone() for tensor in (logits, labels, priors)]
    versions = [tensor._version for tensor in (logits, labels, priors)]
    leaf = logits.requires_grad_()
    total(build(priors), leaf, labels).backward()
    for tensor, copy, version in zip((logits, labels, priors), before, versions, strict=True):
        assert torch.equal(tensor.detach(), copy)
        assert tensor._version == version


def test_no_pairs(build):
    logits, labels = random_pairs(0)
    logits.requires_grad_()
    parts = parts_of(build(PRIORS), logits, labels)
    parts.total().backward()
    assert parts.total() == 0
    assert all(value == 0 for value in parts.scalars().values())
    assert logits.grad.shape == (0, 1 + NUM_RELATIONS)


@pytest.mark.parametrize("num_pairs", [1, 2])
def test_few_pairs(build, num_pairs):
    assert total(build(PRIORS), *random_pairs(num_pairs)).isfinite()


def test_the_order_of_pairs_does_not_matter(build):
    logits, labels = random_pairs(16)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    one = total(build(PRIORS), logits, labels)
    other = total(build(PRIORS), logits[order], labels[order])
    assert float(one) == pytest.approx(float(other), rel=1e-12)


def test_nothing_depends_on_values(build):
    """Tensors without values: asking for one, or for a shape made from values, raises."""
    loss = build(PRIORS)
    with FakeTensorMode(allow_non_fake_inputs=True):
        logits = torch.empty(7, 1 + NUM_RELATIONS, requires_grad=True)
        labels = torch.empty(7, 1 + NUM_RELATIONS, dtype=torch.bool)
        parts = parts_of(loss, logits, labels)
        parts.scalars()
        parts.total().backward()
        assert logits.grad.shape == logits.shape
        with pytest.raises(DataDependentOutputException):
            parts.total().item()


def test_no_loop_over_relations(build):
    """The same operations, however many relations there are."""

    def operations(num_relations):
        loss = build(torch.full((num_relations,), 0.01, dtype=torch.float64))
        pairs = random_pairs(6, num_relations=num_relations)
        traced = make_fx(lambda logits, labels: total(loss, logits, labels))(*pairs)
        return [node.target for node in traced.graph.nodes if node.op == "call_function"]

    assert operations(3) == operations(40)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_can_be_chosen_in_yaml():
    """As a model takes it: a factory that is given the priors and nothing else."""
    own = "gamma: 0.5"
    settings = {
        "AdaptiveThresholdLoss": "across_ranks: false",
        "AdaptiveFocalLoss": own,
        "BalancedSoftmaxLoss": "",
        "ConcentratedMarginLoss": "\n      ".join(
            [
                "form: B",
                "optimal_margin: 0.4",
                "concentration: 2",
                "sharpness: 2",
                "per_relation: true",
            ]
        ),
        "PositiveUnlabelledLoss": "\n      ".join(
            ["prior_multiple: 3.0", "risk: pu", "correction: clamp", "true_priors: null"]
        ),
    }
    parser = ArgumentParser()
    parser.add_argument("--loss", type=Callable[[Tensor], Loss])
    for name, init_args in settings.items():
        lines = f"  init_args:\n      {init_args}\n" if init_args else ""
        text = f"loss:\n  class_path: docre.losses.{name}\n{lines}"
        made = parser.instantiate_classes(parser.parse_string(text)).loss(PRIORS)
        assert type(made).__name__ == name
        assert total(made, *random_pairs(4)).isfinite()
    assert made.risk == "pu"
    assert torch.equal(made.priors, PRIORS)


def test_public_names():
    assert docre.losses.__all__
    for name in docre.losses.__all__:
        assert getattr(docre.losses, name).__doc__


def test_a_loss_needs_torch_only():
    code = (
        "import sys, docre.losses\n"
        "rooms = ('lightning', 'transformers', 'docre.data', 'docre.model', 'docre.heads')\n"
        "print(*(room for room in rooms if room in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
