"""Trainings that are interrupted, and what they are compared by."""

import os
import signal
from pathlib import Path

import pytest
import torch

from docre.callbacks import RunCheckpoint
from tests.test_training import quietly

# what a training is made of; the states of loops and callbacks count kills and name folders
PARTS = (
    "state_dict",
    "optimizer_states",
    "lr_schedulers",
    "docre_random_states",
    "epoch",
    "global_step",
)


def checkpoint(run, name="last"):
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def differences(one, other, at=""):
    """Name what differs between two values of a checkpoint."""
    if type(one) is not type(other):
        return [f"{at}: {type(one)} and {type(other)}"]
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [at]
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f"{at}: {one.keys() ^ other.keys()}"]
        pairs = [(key, one[key], other[key]) for key in one]
    elif isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{at}: {len(one)} and {len(other)}"]
        pairs = list(zip(range(len(one)), one, other, strict=True))
    else:
        return [] if one == other else [f"{at}: {one!r} and {other!r}"]
    return [found for key, a, b in pairs for found in differences(a, b, f"{at}.{key}")]


def same_training(run, other):
    """Say that two runs ended with the same weights, optimizers and random states."""
    for name in ("best", "last"):
        one, two = checkpoint(run, name), checkpoint(other, name)
        found = [d for part in PARTS for d in differences(one[part], two[part], part)]
        assert found == [], name


def train(version, *command):
    """Train in a folder of that name, and return it."""
    quietly(*command, f"--trainer.logger.init_args.version={version}")
    (run,) = Path("runs").glob(f"*/{version}")
    return run


def train_and_interrupt(monkeypatch, step, version, *command):
    """Train until the signal comes in some step; return the folder."""
    written = RunCheckpoint.on_train_batch_end

    def told(self, trainer, *rest):
        if trainer.global_step == step and not trainer.received_sigterm:
            os.kill(os.getpid(), signal.SIGTERM)
        written(self, trainer, *rest)

    with monkeypatch.context() as here:
        here.setattr(RunCheckpoint, "on_train_batch_end", told)
        with pytest.raises(SystemExit):
            train(version, *command)
    (run,) = Path("runs").glob(f"*/{version}")
    return run
