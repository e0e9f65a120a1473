"""Parameter groups and schedules."""

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD

from docre.optim import (
    ConstantWarmup,
    CosineWarmup,
    GroupSettings,
    LearningRates,
    LinearWarmup,
    parameter_groups,
)

SETTINGS = {"encoder": GroupSettings(1.0, 0.1), "head": GroupSettings(2.0)}


def slow_linear(step, total, rising):
    """What `get_linear_schedule_with_warmup` of the published systems gives."""
    if step < rising:
        return step / max(1, rising)
    return max(0.0, (total - step) / max(1, total - rising))


def slow_constant(step, total, rising):
    return step / rising if step < rising else 1.0


def slow_cosine(step, total, rising):
    if step < rising:
        return step / rising
    return (1 + math.cos(math.pi * (step - rising) / max(1, total - rising))) / 2


@pytest.mark.parametrize(("total", "warmup"), [(100, 0.06), (33, 0.06), (10, 0.0), (10, 1.0)])
@pytest.mark.parametrize(
    ("schedule", "slow"),
    [
        (LinearWarmup, slow_linear),
        (ConstantWarmup, slow_constant),
        (CosineWarmup, slow_cosine),
    ],
)
def test_schedules(schedule, slow, total, warmup):
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.5, 2.0)]
    optimizer = SGD(groups)
    made = schedule(optimizer, total, warmup)
    rising = int(total * warmup)
    for step in range(total + 1):
        expected = [lr * slow(step, total, rising) for lr in (0.5, 2.0)]
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(expected)
        optimizer.step()
        made.step()


def test_linear_is_that_of_transformers():
    from transformers import get_linear_schedule_with_warmup

    ours, theirs = (SGD([nn.Parameter(torch.zeros(1))], lr=3e-5) for _ in range(2))
    one, two = LinearWarmup(ours, 763, 0.06), get_linear_schedule_with_warmup(theirs, 45, 763)
    for _ in range(763):
        assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"]
        for part in (ours, theirs, one, two):
            part.step()


def test_a_warmup_is_a_share():
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for schedule in (LinearWarmup, ConstantWarmup, CosineWarmup):
        with pytest.raises(ValueError, match="between 0 and 1, not 100"):
            schedule(optimizer, 1000, 100)


def test_groups_have_each_parameter_once_in_the_first_part():
    shared = nn.Linear(2, 2)
    encoder = nn.Sequential(nn.Linear(2, 2), shared)
    head = nn.Sequential(shared, nn.Linear(2, 3), nn.Linear(2, 4).requires_grad_(False))
    groups = parameter_groups({"encoder": [encoder, None], "head": [head]}, SETTINGS)
    assert [group["name"] for group in groups] == ["encoder", "head"]
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(1.0, 0.1), (2.0, 0.0)]
    found = [{id(p) for p in group["params"]} for group in groups]
    assert found == [{id(p) for p in encoder.parameters()}, {id(p) for p in head[1].parameters()}]


def test_a_part_without_anything_to_learn_has_no_group():
    frozen = nn.Linear(2, 2).requires_grad_(False)
    groups = parameter_groups({"encoder": [frozen], "head": [nn.Linear(2, 2)]}, SETTINGS)
    assert [group["name"] for group in groups] == ["head"]


def test_published_rates_are_the_defaults():
    rates = LearningRates()
    assert (rates.encoder.lr, rates.head.lr, rates.memory) == (3e-5, 1e-4, None)
    assert rates.encoder.weight_decay == rates.head.weight_decay == 0


def test_vectors_can_be_spared_from_decay():
    part = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    settings = {"head": GroupSettings(1e-3, 0.01, decay_vectors=False)}
    matrices, vectors = parameter_groups({"head": [part]}, settings)
    assert (matrices["name"], matrices["weight_decay"]) == ("head", 0.01)
    assert (vectors["name"], vectors["weight_decay"]) == ("head_vectors", 0.0)
    assert [p.shape for p in matrices["params"]] == [part[0].weight.shape]
    assert len(vectors["params"]) == 3
    assert {group["lr"] for group in (matrices, vectors)} == {1e-3}
