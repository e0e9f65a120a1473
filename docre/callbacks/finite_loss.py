"""A training that ends before a loss that is not a number gets into the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import lightning
import torch
import torch.distributed as dist
from torch import Tensor, nn

from docre.callbacks.run_folder import log_folder
from docre.errors import DocreError
from docre.random_state import random_states
from docre.replay.kept_steps import FOLDER, KeptBatch, KeptRank, checkpoint_path, write_rank
from docre.replay.messages import StepOfRank, gathered, not_finite, replay_command
from docre.sharding import whole

# what keeps a file from being written
_REFUSALS = (OSError, RuntimeError, DocreError)


class FiniteLoss(lightning.Callback):
    """Stops a training before an update whose loss or gradient is not finite.

    Nothing is updated then. Each process keeps its batches of the step, the first one a checkpoint
    beside them, in the folder ``nonfinite`` of the run, and the error names the documents;
    ``docre replay`` runs them again and says where it begins. A loss that is scaled for half
    precision may have an infinite gradient, its scaler looks after that: there only losses count.

    The host waits for the device once an update.

    Args:
        check: False trains on, whatever comes out.
        folder: Where to keep a step; ``None`` takes ``nonfinite`` in the folder of the run.
    """

    def __init__(self, check: bool = True, folder: str | None = None) -> None:
        self.check, self.folder = check, folder
        self._kept: list[KeptBatch] = []
        self._losses: list[Tensor | None] = []

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin with nothing."""
        self._kept, self._losses = [], []

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Remember the batch, and what would be drawn for it."""
        if self.check:
            self._kept.append(KeptBatch(batch, random_states(pl_module.device), _ids(batch)))
            self._losses.append(None)

    def on_before_backward(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, loss: Tensor
    ) -> None:
        """Remember the loss."""
        if self._losses:
            self._losses[-1] = loss.detach()

    def on_before_optimizer_step(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Look at the losses and the gradient of an update.

        Raises:
            DocreError: If one is not finite, on any process.
        """
        if not self.check:
            return
        kept, losses = self._kept, self._losses
        self._kept, self._losses = [], []
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        looked_at = [loss for loss in losses if loss is not None]
        if scaler is None:
            grads = [p.grad for p in pl_module.parameters() if p.grad is not None]
            looked_at.append(whole(nn.utils.get_total_norm(grads)).to(pl_module.device))
        if not _any_bad(looked_at, pl_module.device, trainer.world_size):
            return
        # what was given to backward is divided by the number of batches, and scaled
        factor = trainer.accumulate_grad_batches / (1.0 if scaler is None else scaler.get_scale())
        for one, loss in zip(kept, losses, strict=True):
            one.loss = None if loss is None else float(loss) * factor
        self._stop(trainer, pl_module, kept)

    def _stop(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, kept: list[KeptBatch]
    ) -> NoReturn:
        """Keep the step and say so, on all processes together."""
        step = trainer.global_step
        folder: Path | None = trainer.strategy.broadcast(self._folder(trainer))
        refused = []
        if folder is not None:
            refused += _refusal(lambda: write_rank(folder, _of_rank(trainer, module, kept)))
            refused += _refusal(lambda: _save(trainer, checkpoint_path(folder, step)))
        guilty = [one for one in kept if one.loss is not None and not math.isfinite(one.loss)]
        everyone = gathered(
            StepOfRank(
                tuple(one.loss for one in guilty if one.loss is not None),
                tuple(name for one in guilty for name in one.document_ids),
                tuple(name for one in kept for name in one.document_ids),
                tuple(refused),
            )
        )
        raise DocreError(not_finite(step, everyone, folder, replay_command(folder, step, module)))

    def _folder(self, trainer: lightning.Trainer) -> Path | None:
        if self.folder is not None:
            return Path(self.folder)
        found = log_folder(trainer)
        return None if found is None else found / FOLDER


def _any_bad(values: Sequence[Tensor], device: torch.device, processes: int) -> bool:
    """Say whether a number is not finite on any process; the one time that the host waits."""
    bad = torch.zeros((), device=device)
    if values:
        bad = (~torch.stack([value.isfinite().all() for value in values]).all()).float()
    if processes > 1:
        # a loss may be bad on one process and its gradient finite
        dist.all_reduce(bad)
    return bool(bad)


def _of_rank(
    trainer: lightning.Trainer, module: lightning.LightningModule, kept: list[KeptBatch]
) -> KeptRank:
    frozen = (name for name, value in module.named_parameters() if not value.requires_grad)
    return KeptRank(
        trainer.global_step,
        trainer.global_rank,
        str(trainer.precision),
        module.device.type,
        tuple(frozen),
        tuple(kept),
    )


def _save(trainer: lightning.Trainer, path: Path) -> None:
    """Write a checkpoint; the other processes wait for the one that writes, also if it fails."""
    try:
        trainer.save_checkpoint(path, weights_only=False)
    except _REFUSALS:
        trainer.strategy.barrier()
        raise


def _refusal(write: Callable[[], None]) -> list[str]:
    try:
        write()
    except _REFUSALS as error:
        return [str(error).strip().partition("\n")[0]]
    return []


def _ids(batch: Any) -> tuple[str, ...]:
    return tuple(map(str, getattr(batch, "document_ids", ())))
