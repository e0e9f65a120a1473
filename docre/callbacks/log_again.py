"""Curves of a training that goes on: what was logged after its checkpoint is logged again."""

from __future__ import annotations

import lightning
from lightning.pytorch.loggers import TensorBoardLogger


class LogAgain(lightning.Callback):
    """Tells TensorBoard where a training begins or goes on, so that it drops what came later.

    A run is killed some time after its last checkpoint. The steps in between are done again, and
    without this their points are drawn twice.
    """

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Mark the step."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        started = SessionLog(status=SessionLog.START)
        # what was logged right when the checkpoint was written belongs to the steps before it
        event = Event(step=trainer.global_step + 1, session_log=started)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                logger.experiment.file_writer.add_event(event)
