"""A stand-in for the ``docre`` commands that a chain runs: what they leave behind, at once."""

from __future__ import annotations

import json
from itertools import count, pairwise
from pathlib import Path

import torch

from docre.chain.runner import ChainRun
from docre.chain.stages import read_chain

SCORES = {"dev": {"f1": 0.5, "ign_f1": 0.25}, "test": {"f1": 0.625, "ign_f1": 0.375}}


class FakeDocre:
    """Takes arguments as ``execute`` does and writes the files of the real commands.

    ``then`` maps the number of a call (from one) to what happens in it: an exit status, or an
    exception to raise. A training that does not end leaves its last checkpoint if ``learnt``.
    """

    trainings = count()  # no two leave the same

    def __init__(self, then=None, learnt=True, dev=True):
        self.then, self.learnt, self.dev = then or {}, learnt, dev
        self.calls = []

    def __call__(self, arguments):
        self.calls.append(list(arguments))
        happens = self.then.get(len(self.calls), 0)
        command, *words = arguments
        given = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
        pairs = dict(pairwise(words))
        if command == "fit":
            logger = "trainer.logger.init_args."
            parts = [given[f"{logger}{key}"] for key in ("save_dir", "name", "version")]
            self.fit(Path(*parts), whole=happens == 0)
        elif happens == 0 and command in ("validate", "test"):
            self.score(Path(pairs["--run"]), "dev" if command == "validate" else "test")
        elif happens == 0 and command == "distil":
            Path(pairs["--output"]).write_text(f"scores of {pairs['--documents']}")
        if isinstance(happens, BaseException):
            raise happens
        return happens

    def fit(self, run, whole):
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.yaml").write_text("")
        splits = ("train", "dev") if self.dev else ("train",)
        (run / "run.json").write_text(json.dumps({"data": {key: {} for key in splits}}))
        if whole or self.learnt:
            (run / "checkpoints").mkdir(exist_ok=True)
            torch.save({"epoch": 2 if whole else 0}, run / "checkpoints" / "last.ckpt")
            torch.save(
                {"epoch": 1, "training": next(self.trainings)}, run / "checkpoints" / "best.ckpt"
            )

    def score(self, run, split):
        (run / "scores").mkdir(exist_ok=True)
        body = {"split": split, "scores": SCORES[split] | {"gold": 3}}
        (run / "scores" / f"{split}.json").write_text(json.dumps(body))

    @property
    def names(self):
        """The commands, with the stage each was for."""
        return [(call[0], self._stage(call)) for call in self.calls]

    @staticmethod
    def _stage(call):
        if call[0] == "fit":
            return next(
                w.split("=")[1] for w in call if w.startswith("--trainer.logger.init_args.v")
            )
        return Path(call[call.index("--run") + 1]).name


def made(text, execute, extra=None, folder=None):
    """Return a chain ready to run in the current folder, and the lines it says."""
    path = Path("toy.yaml")
    path.write_text(text)
    said = []
    run = ChainRun(read_chain(path), folder or Path("runs/toy"), execute, said.append, extra or {})
    return run, said
