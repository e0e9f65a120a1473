"""What SIGTERM does to a command that runs on several processes.

Clusters send it before they take a machine away. Of one process Lightning knows what to do. Of
several it has each talk to the others from within the handler, in the middle of whatever they are
talking about, and they wait for one another for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning
import torch
import torch.distributed as dist


class Termination:
    """Whether a training was told to end, as all its processes agree."""

    def __init__(self) -> None:
        self._told = False

    def listen(self, trainer: lightning.Trainer) -> None:
        """Hear the signal from now on; Lightning puts back what was there before."""
        self._told = False
        _take_over(trainer, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._told = True

    def agreed(self, trainer: lightning.Trainer) -> bool:
        """Say whether any process was told; all of them have to ask, after the same step."""
        if trainer.world_size == 1:
            return trainer.received_sigterm
        told = torch.tensor(int(self._told), device=trainer.strategy.root_device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told)


class EndAtOnce(lightning.Callback):
    """Lets the signal end a process where there is nothing to save: before and outside of training.

    Files that are being written appear under their names when they are complete, or not at all.
    """

    def on_sanity_check_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Before training."""
        _take_over(trainer, signal.SIG_DFL)

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Alone, or within a training, which listens."""
        if trainer.state.fn == "validate":
            _take_over(trainer, signal.SIG_DFL)

    def on_test_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Behind Lightning, which has taken the signal over by now."""
        _take_over(trainer, signal.SIG_DFL)

    def on_predict_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Behind Lightning, which has taken the signal over by now."""
        _take_over(trainer, signal.SIG_DFL)


def _take_over(
    trainer: lightning.Trainer, handler: Callable[[int, FrameType | None], Any] | signal.Handlers
) -> None:
    if trainer.world_size > 1 and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
