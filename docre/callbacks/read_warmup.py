"""Memories are written before they are read: reads are off for the first part of a training."""

from __future__ import annotations

import logging
from typing import Any, cast

import lightning

from docre.errors import DocreError
from docre.memory.similarity_reader import ReadSwitch, read_warmup_steps, switch_reads

_log = logging.getLogger(__name__)


class ReadWarmup(lightning.Callback):
    """Turns the reads of a model on after a share of the training.

    Until then the slots of similarity memories only learn what they stand for. Validation within
    the warm-up does not read either, and one that comes right after it is of a model that was never
    trained with reads. So :class:`RunCheckpoint` and :class:`StopEarly` leave out all epochs until
    one update has read. Outside of a training a model always reads. A training in which an update
    has read goes on reading when it is resumed, also with more epochs.

    Reference: similarity-memory JEREX, released code.

    Args:
        proportion: Share of all updates that do not read; in Python also their number, an ``int``.

    Attributes:
        warming_up: Whether there is a training now, and no update of it has read.

    Raises:
        DocreError: If it is no such share; when training begins, if nothing in the model reads.
    """

    def __init__(self, proportion: float = 0.4) -> None:
        try:
            read_warmup_steps(proportion, 1)
        except ValueError as error:
            raise DocreError(f"trainer.callbacks, ReadWarmup: {error}") from error
        self.proportion = proportion
        self.warming_up = False
        self._first = 0  # the first update that reads
        self._reading = True
        self._began = False  # an update has read

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Begin anew with each training; a checkpoint is loaded after this."""
        self._began = False

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Find out how long to wait."""
        if not any(isinstance(part, ReadSwitch) for part in pl_module.modules()):
            raise DocreError(
                "trainer.callbacks: ReadWarmup has nothing to do, no part of the model reads from "
                "a similarity memory: leave it out, with --trainer.callbacks null if there is no "
                "other callback"
            )
        updates = cast(int, trainer.estimated_stepping_batches)
        self._first = read_warmup_steps(self.proportion, updates)

    def on_sanity_check_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Read or not, also where a resumed training has come to."""
        self._switch(trainer, pl_module)

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Read or not, also where a resumed training has come to."""
        self._switch(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """See whether the next update reads; a validation before it does the same."""
        if self.warming_up:
            self._switch(trainer, pl_module)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Warn if the model never read."""
        if self.warming_up and trainer.is_global_zero:
            _log.warning(
                "training ended after %d updates, and the first %d do not read: the model was "
                "never trained to read, and no epoch is kept as the best",
                trainer.global_step,
                self._first,
            )

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave a model that reads."""
        self._leave(pl_module)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave a model that reads."""
        self._leave(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Keep whether an update has read."""
        return {"began": self._began}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over whether an update had read."""
        self._began = state_dict["began"]

    def _switch(self, trainer: lightning.Trainer, model: lightning.LightningModule) -> None:
        done = trainer.global_step
        self._began = self._began or self._first == 0 or done > self._first
        reads = self._began or done >= self._first
        if reads and not self._reading and trainer.is_global_zero:
            _log.info("the model reads from its memories from update %d on", done)
        self.warming_up, self._reading = not self._began, reads
        switch_reads(model, on=reads)

    def _leave(self, model: lightning.LightningModule) -> None:
        if self.warming_up:
            self.warming_up, self._reading = False, True
            switch_reads(model, on=True)


def is_warming_up(trainer: lightning.Trainer) -> bool:
    """Say whether a training is one in which no update has read yet."""
    callbacks = cast(Any, trainer).callbacks
    return any(isinstance(each, ReadWarmup) and each.warming_up for each in callbacks)
