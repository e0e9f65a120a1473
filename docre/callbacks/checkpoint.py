"""The checkpoints of a run: its best epoch and its last one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """Keeps the best epoch as Lightning does, and the last one always.

    Lightning's ``save_last`` writes only when it also writes a new best, so that whoever goes on
    from there would repeat all epochs since.

    Args:
        keep_last: Write ``last.ckpt`` after each epoch, to go on from.
        kwargs: Arguments of Lightning's callback.
    """

    def __init__(self, *, keep_last: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep_last = keep_last

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the last checkpoint."""
        super().on_train_epoch_end(trainer, pl_module)
        if self.keep_last and self.dirpath and not cast(Any, trainer).fast_dev_run:
            trainer.save_checkpoint(Path(self.dirpath) / "last.ckpt", self.save_weights_only)
