"""How fast training goes, in documents, tokens and pairs a second."""

from __future__ import annotations

import time
from typing import Any, cast

import lightning

from docre.batch import Batch


class Throughput(lightning.Callback):
    """Logs ``throughput/documents``, ``tokens`` and ``pairs``, a second and over all ranks.

    Time is the wall clock between two logged steps, validation left out.
    """

    def __init__(self) -> None:
        self._start = 0.0
        self._seen = {"documents": 0, "tokens": 0, "pairs": 0}

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin to count."""
        self._restart()

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin again: validation is not training."""
        self._restart()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Count a batch, and log every so many steps."""
        self._seen["documents"] += len(batch)
        self._seen["tokens"] += sum(batch.sizes.tokens)
        self._seen["pairs"] += sum(batch.sizes.pairs)
        if (batch_idx + 1) % cast(Any, trainer).log_every_n_steps or not trainer.loggers:
            return
        seconds = time.perf_counter() - self._start
        rates = {
            f"throughput/{name}": count * trainer.world_size / seconds
            for name, count in self._seen.items()
        }
        for logger in trainer.loggers:
            logger.log_metrics(rates, step=trainer.global_step)
        self._restart()

    def _restart(self) -> None:
        self._start = time.perf_counter()
        self._seen = dict.fromkeys(self._seen, 0)
