"""A stand-in for a machine that runs the commands of a sweep, and for a cut of its power."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import torch

EPOCHS = 2


class Kill(BaseException):
    """Everything stops at once, and nothing can be tidied up."""


class FakeMachine:
    """Starts stand-ins for commands, one epoch or half a command at each look.

    Args:
        kill_at: Number of the event at which everything stops.
        then: Exit status by (name of run, command), for what is to fail.
        dev: The data have a development split.
    """

    def __init__(self, kill_at=None, then=None, dev=True):
        self.kill_at, self.then, self.dev = kill_at, then or {}, dev
        self.events = 0
        self.log = []  # what was done: (run, command or epoch)
        self.places = []  # what each place is doing

    def tick(self):
        self.events += 1
        if self.events == self.kill_at:
            raise Kill

    def __call__(self, step, place, folder, lock):
        assert step.run == folder
        assert not any(one.place == place for one in self.places if not one.has_ended)
        self.tick()
        started = FakeCommand(self, step, place)
        self.places.append(started)
        return started

    @property
    def at_once(self):
        return sum(not one.has_ended for one in self.places)


class FakeCommand:
    def __init__(self, machine, step, place):
        self.machine, self.step, self.place = machine, step, place
        self.has_ended = False
        self.looks = 0
        self.run = "/".join(step.run.parts[-2:])
        self.epoch = self.first_epoch()

    def first_epoch(self):
        known = [w for w in self.step.arguments if w.startswith("--ckpt_path=")]
        if not known:
            return 0
        return torch.load(known[0].partition("=")[2], weights_only=True)["epoch"] + 1

    def poll(self):
        self.machine.tick()
        status = self.machine.then.get((self.run, self.step.name))
        self.looks += 1
        if status is not None:
            self.has_ended = True
            return status
        self.has_ended = self.fit() if self.step.name == "fit" else self.score()
        return 0 if self.has_ended else None

    def fit(self):
        run = self.step.run
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        (run / "config.yaml").write_text("")
        splits = ("train", "dev", "test") if self.machine.dev else ("train", "test")
        (run / "run.json").write_text(json.dumps({"data": {split: {} for split in splits}}))
        if self.epoch < EPOCHS:
            self.machine.log.append((self.run, self.epoch))
            for name in ("best", "last"):
                torch.save({"epoch": self.epoch}, run / "checkpoints" / f"{name}.ckpt")
            self.epoch += 1
        return self.epoch == EPOCHS

    def score(self):
        if self.looks < 2:
            return False
        pairs = dict(pairwise(self.step.arguments))
        assert Path(pairs["--run"]) == self.step.run
        split = "dev" if self.step.name == "validate" else "test"
        (self.step.run / "scores").mkdir(exist_ok=True)
        body = {"split": split, "scores": {"f1": 0.5, "ign_f1": 0.25}}
        (self.step.run / "scores" / f"{split}.json").write_text(json.dumps(body))
        self.machine.log.append((self.run, self.step.name))
        return True

    def terminate(self):
        self.has_ended = True

    kill = terminate

    def wait(self):
        self.has_ended = True
        return 143


class Watched:
    """Keeps what a pool tells."""

    def __init__(self):
        self.commands, self.ends = [], []

    def begun(self, work, step):
        self.commands.append((work.run.name, step.name))

    def ended(self, work, status, reason):
        self.ends.append((work.run.name, status, reason))

    @property
    def statuses(self):
        return {name: status for name, status, _ in self.ends}
