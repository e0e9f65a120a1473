"""The logit distillation of KD-DocRE."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.losses import LogitDistillation
from docre.outputs import HeadOutput, Targets, TeacherTargets
from tests.corpora import golden

SETS = ("A", "B", "C", "D")


@cache
def load(name):
    return load_file(golden(f"losses/{name}.safetensors"))


@pytest.mark.parametrize("by_column", [False, True], ids=["all", "columns"])
@pytest.mark.parametrize("k", SETS)
def test_kd_logits(k, by_column):
    inputs, outputs = load("inputs"), load("outputs")
    logits = inputs[f"{k}.logits"].clone().requires_grad_()
    teacher = TeacherTargets(inputs[f"{k}.teacher_logits"])
    if by_column:
        columns = teacher.values.argsort(1)
        teacher = TeacherTargets(teacher.values.gather(1, columns), columns)
    parts = LogitDistillation()(HeadOutput(logits), Targets(inputs[f"{k}.labels"], teacher=teacher))
    (gradient,) = torch.autograd.grad(parts.total(), logits)
    expected = outputs[f"{k}.kd_mse.value"]
    torch.testing.assert_close(parts.total().detach().reshape(1), expected, atol=1e-9, rtol=1e-9)
    expected = outputs[f"{k}.kd_mse.grad"].double()  # kept in float32
    torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-6)


def test_every_number_is_compared():
    there = {name for name in load("outputs") if "kd_mse" in name}
    assert there == {f"{k}.kd_mse.{end}" for k in SETS for end in ("value", "grad")}
