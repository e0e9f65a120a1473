"""The checkpoints of a run: its best epoch and its last state, written whole or not at all."""

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
from lightning.pytorch.utilities.exceptions import SIGTERMException

from docre.callbacks.read_warmup import is_warming_up
from docre.callbacks.termination import Termination
from docre.data.writing import atomic_file
from docre.errors import DocreError

# where Lightning's callback keeps the names of files
_FILES = ("best_model_path", "kth_best_model_path", "last_model_path")


class RunCheckpoint(ModelCheckpoint):
    """Keeps the best epoch as Lightning does, and the last state always.

    Lightning's ``save_last`` writes only when it also writes a new best, so that whoever goes on
    from there would repeat all epochs since. ``last.ckpt`` is written after each epoch, every so
    many updates, and when the training is told to end (SIGTERM, as clusters do before they take a
    machine away). An epoch that ends before an update has read, see :class:`ReadWarmup`, is never
    the best: it would be tested with reads that it never learnt.

    Args:
        keep_last: Write ``last.ckpt``, to go on from.
        keep_last_every: Updates after which it is written in the middle of an epoch too; ``None``
            writes it after epochs alone.
        kwargs: Arguments of Lightning's callback.
    """

    def __init__(
        self, *, keep_last: bool = True, keep_last_every: int | None = 1000, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if keep_last_every is not None and keep_last_every < 1:
            raise ValueError(f"keep_last_every must be at least 1, not {keep_last_every}")
        self.keep_last, self.keep_last_every = keep_last, keep_last_every
        self._termination = Termination()
        self._trainer: lightning.Trainer | None = None

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Listen for the signal to end: Lightning does by now."""
        super().on_train_start(trainer, pl_module)
        self._termination.listen(trainer)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Keep the best, if it is to be looked for here, and the last if it is time."""
        if not is_warming_up(trainer):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        # the end of an epoch is kept when it has come, with what belongs to it
        if (batch_idx + 1) % trainer.accumulate_grad_batches or trainer.is_last_batch:
            return
        told = self._termination.agreed(trainer)
        every = self.keep_last_every
        if told or (every is not None and trainer.global_step % every == 0):
            self._keep(trainer)
        if told:
            raise SIGTERMException

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
        if trainer.fit_loop.restarted_on_epoch_end:
            return  # with max_steps Lightning ends an epoch again that was kept
        if not is_warming_up(trainer):
            super().on_train_epoch_end(trainer, pl_module)
        self._keep(trainer)

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Find out where the checkpoints are."""
        super().setup(trainer, pl_module, stage)
        self._trainer = trainer

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was the best, also where its folder was called otherwise or was moved."""
        start = None if self._trainer is None else self._trainer.ckpt_path
        if start and self.dirpath:
            folder = Path(self.dirpath)
            if Path(start).resolve().parent == folder.resolve():
                state_dict = _as_called_in(folder, state_dict)
        super().load_state_dict(state_dict)

    def _keep(self, trainer: lightning.Trainer) -> None:
        if self.keep_last and self.dirpath and not cast(Any, trainer).fast_dev_run:
            trainer.save_checkpoint(Path(self.dirpath) / "last.ckpt", self.save_weights_only)


def _as_called_in(folder: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a checkpoint callback with all its files in a folder.

    Lightning forgets the best score where the folder has another name than it had, as an absolute
    one. The next epoch would then pass for the best.
    """

    def here(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    named = {key: here(state.get(key, "")) for key in _FILES}
    best = {here(path): score for path, score in state.get("best_k_models", {}).items()}
    return {**state, **named, "best_k_models": best, "dirpath": str(folder)}


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
        """Read a checkpoint, never unpickling, wherever it is and whatever is asked for.

        Raises:
            DocreError: If it is damaged or something else.
            FileNotFoundError: If there is none.
        """
        try:
            return super().load_checkpoint(path, map_location, weights_only=True)
        except FileNotFoundError:
            raise
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise DocreError(f"{path} is no checkpoint that can be read") from error
