"""The checkpoints of a run: its best epoch and its last one, each written whole or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint

from docre.callbacks.read_warmup import is_warming_up
from docre.data.writing import atomic_file
from docre.errors import DocreError


class RunCheckpoint(ModelCheckpoint):
    """Keeps the best epoch as Lightning does, and the last one always.

    Lightning's ``save_last`` writes only when it also writes a new best, so that whoever goes on
    from there would repeat all epochs since. An epoch that ends before an update has read, see
    :class:`ReadWarmup`, is never the best: it would be tested with reads that it never learnt.

    Args:
        keep_last: Write ``last.ckpt`` after each epoch, to go on from.
        kwargs: Arguments of Lightning's callback.
    """

    def __init__(self, *, keep_last: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep_last = keep_last

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the best, if it is to be looked for here."""
        if not is_warming_up(trainer):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Keep the best, if it is to be looked for here."""
        if not is_warming_up(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Keep the best and write the last."""
        if not is_warming_up(trainer):
            super().on_train_epoch_end(trainer, pl_module)
        if self.keep_last and self.dirpath and not cast(Any, trainer).fast_dev_run:
            trainer.save_checkpoint(Path(self.dirpath) / "last.ckpt", self.save_weights_only)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it: a kill leaves the one before.

    Lightning writes into the folder for temporary files; where that is another disk, what follows
    is a copy onto the name of the checkpoint, which a kill cuts short.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint; places that are not on a disk are left to Lightning."""
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        target = Path(path)
        for left in target.parent.glob(f".{escape(target.name)}.*.part"):
            left.unlink(missing_ok=True)  # gigabytes, of a training that was killed
        with atomic_file(target) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = lambda storage, _: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint.

        Raises:
            DocreError: If it is damaged or something else.
            FileNotFoundError: If there is none.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only)
        except FileNotFoundError:
            raise
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise DocreError(f"{path} is no checkpoint that can be read") from error
