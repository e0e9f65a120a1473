"""One of two processes that take the same steps alone and together: run by the DDP tests."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from traceback import format_exception
from typing import NamedTuple
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel


class Case(NamedTuple):
    """A model and the documents of some steps.

    Args:
        name: Of the configuration.
        model: As it is when training begins.
        steps: Of each step the batch of all documents, of the first and of the second rank's.
        own: Whether ranks are to be left to themselves, which is what must make a difference.
    """

    name: str
    model: nn.Module
    steps: list
    own: str = ""


class Step(nn.Module):
    """What Lightning's strategy wraps: the training step as a forward pass."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        return self.model.training_step(batch, 0)


def revive(model):
    """Make the parts of transformers whole again: they sign on when made, not when unpickled."""
    for module in list(model.modules()):
        for name, part in module.named_children():
            if isinstance(part, PreTrainedModel):
                made = type(part)(part.config)
                vars(made).update(vars(part))
                setattr(module, name, made)


def prepare(model):
    """Make a model exact and certain: float64, no dropout; returns what it logs."""
    logged = {}
    revive(model)
    model.double().train()
    teaching = getattr(getattr(model, "teacher", None), "_model", None)
    if teaching is not None:
        revive(teaching)
        teaching.double()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    model.log_dict = lambda named, **_: logged.update(named)
    model.log = lambda name, value, **_: logged.update({name: value})
    return logged


def take(model, stepper, batch, logged):
    """Return loss, logged numbers, gradients and statistics of a step."""
    logged.clear()
    model.zero_grad()
    loss = stepper(batch)
    loss.backward()
    return {
        "loss": loss.item(),
        "logged": {name: float(value) for name, value in logged.items()},
        "gradients": {
            name: None if parameter.grad is None else parameter.grad.clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        },
        "buffers": {name: buffer.clone() for name, buffer in model.named_buffers()},
    }


def compare(alone, found):
    """Return how far apart two steps are; gradients beside the largest of a parameter."""
    worst, where = 0.0, ""
    unreached = []
    for name, expected in alone["gradients"].items():
        mine = found["gradients"][name]
        if expected is None or mine is None:
            unreached.append(name)
            continue
        apart = distance(mine, expected)
        if not apart <= worst:
            worst, where = apart, name
    statistics = [
        distance(found["buffers"][name].double(), expected.double())
        for name, expected in alone["buffers"].items()
        if expected.numel()
    ]
    return {
        "loss": [alone["loss"], found["loss"]],
        "logged": {
            name: [value, found["logged"].get(name)] for name, value in alone["logged"].items()
        },
        "gradient": worst,
        "of": where,
        "unreached": unreached,
        "statistics": max(statistics, default=0.0),
        "length": sum(float(g.square().sum()) for g in alone["gradients"].values() if g is not None)
        ** 0.5,
        "parameters": len(alone["gradients"]),
    }


def distance(mine, expected):
    """Return the largest difference, in units of the largest element where that is over 1."""
    scale = max(1.0, float(expected.abs().max()))
    return float((mine - expected).abs().max()) / scale


@contextmanager
def together(rank, meeting):
    """Be one of two ranks for a while; waits no longer than half a minute for the other."""
    dist.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=30),
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def examine(case, rank, meeting):
    """Take the steps of a case alone, and then as one of two ranks."""
    model = case.model
    logged = prepare(model)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    alone = [take(model, Step(model), whole, logged) for whole, *_ in case.steps]
    # what makes a step random would make all that follows worthless
    model.load_state_dict(start)
    again = take(model, Step(model), case.steps[0][0], logged)
    certain = again["loss"] == alone[0]["loss"]
    model.load_state_dict(start)
    model.zero_grad()
    with together(rank, meeting):
        # find_unused_parameters stays off: a parameter that a step did not reach ends the next one
        stepper = DistributedDataParallel(Step(model))
        found = [take(model, stepper, shares[rank], logged) for _, *shares in case.steps]
    return {
        "certain": certain,
        "steps": [compare(*both) for both in zip(alone, found, strict=True)],
    }


def main(rank, folder):
    """Examine every case of a folder, one after another."""
    torch.set_num_threads(1)
    for number, path in enumerate(sorted(folder.glob("*.case"))):
        case = torch.load(path, weights_only=False)
        meeting = folder / f"meeting{number}"
        try:
            with patch(case.own, lambda: 1) if case.own else patch.dict({}):
                result = examine(case, rank, meeting)
        except Exception as error:  # the others are to be examined all the same
            result = {"error": "".join(format_exception(error))}
        (folder / f"{path.stem}.{rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
    sys.stderr.flush()
    os._exit(0)  # see tests/losses/rank_worker.py
