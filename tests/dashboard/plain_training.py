"""A training of a few numbers, for what does not depend on the model."""

from __future__ import annotations

import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from docre.dashboard import Dashboard, DashboardPart

OFF = {
    **dict.fromkeys(("hparams", "layout", "curves", "relations", "memory", "attention"), False),
    "examples": 0,
}


class Line(lightning.LightningModule):
    """Learns a line; its development score is always the same."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(1, 1))

    def forward(self, batch):
        return self.line(batch)

    def training_step(self, batch, number):
        return self(batch).square().mean()

    def validation_step(self, batch, number):
        self(batch)
        self.log("val/f1", 0.5, batch_size=1)

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


class Recorder(DashboardPart):
    """Writes down what it is asked to do, and on which weights."""

    def __init__(self) -> None:
        self.begun, self.shown, self.drawn, self.saw = 0, [], [], None

    def begin(self, board):
        self.begun += 1

    def forget(self):
        self.saw = None

    def see(self, board, batch, output):
        self.saw = board.step

    def show(self, board):
        self.shown.append(board.step)

    def draw(self, board):
        assert self.saw == board.step
        self.drawn.append(board.step)


def train(folder: Path, *callbacks: lightning.Callback, ckpt_path=None, **options):
    """Train, five updates an epoch, and return the trainer."""
    logger = TensorBoardLogger(folder, name="", default_hp_metric=False)
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary"), False)
    usual = {"enable_checkpointing": False, "log_every_n_steps": 1, **quiet}
    data = [DataLoader(torch.ones(count, 1)) for count in (5, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of loaders without workers
        trainer = lightning.Trainer(
            accelerator="cpu", logger=logger, callbacks=[*callbacks], **(usual | options)
        )
        trainer.fit(Line(), *data, ckpt_path=ckpt_path)
    return trainer


def recording(drawings: int = 4) -> tuple[Dashboard, Recorder]:
    """Return a dashboard with nothing but a recorder on it."""
    part = Recorder()
    return Dashboard(**OFF, drawings=drawings, parts=[part]), part
