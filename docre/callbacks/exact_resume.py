"""A training that goes on is the one that was interrupted, to the last bit."""

from __future__ import annotations

import logging
from typing import Any, cast

import lightning

from docre.data.sampling import distributed_place
from docre.random_state import RandomStates, gathered, random_states, set_random_states

_KEY = "docre_random_states"
_log = logging.getLogger(__name__)


class ExactResume(lightning.Callback):
    """Keeps what Lightning's checkpoints lack, and takes it up again.

    That is the state of the random generators of all processes: without it a training that is
    resumed has the weights of the one that was interrupted, but not its dropout. The place in an
    epoch is kept by the data module.
    """

    def __init__(self) -> None:
        self._loaded: list[RandomStates] | None = None

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Put the states of all processes into a checkpoint."""
        checkpoint[_KEY] = gathered(random_states(pl_module.device))

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Remember the states until training begins: what comes before may draw numbers."""
        self._loaded = checkpoint.get(_KEY)

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Take up where it was."""
        loop = cast(Any, trainer.fit_loop)
        if loop.restarted_on_epoch_end:
            # with max_steps Lightning ends that epoch a second time, and would skip the next one
            loop.epoch_progress.current.processed -= 1
            loop.epoch_progress.total.processed -= 1
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        rank, world_size = distributed_place()
        if len(loaded) == world_size:
            set_random_states(loaded[rank], pl_module.device)
        elif rank == 0:
            _log.warning(
                "the training was on %d devices and goes on on %d: nothing is lost, but its "
                "numbers will not be those of one that was never interrupted",
                len(loaded),
                world_size,
            )
