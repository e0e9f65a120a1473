"""Early stopping that is off until a patience is given."""

from __future__ import annotations

from typing import Any

import lightning
from lightning.pytorch.callbacks import EarlyStopping

from docre.callbacks.read_warmup import is_warming_up


class StopEarly(EarlyStopping):
    """Stops when the development score has not become better for some validations.

    Those before an update has read, see :class:`ReadWarmup`, are of another model, and not looked
    at.

    Args:
        monitor: The logged score.
        patience: Validations to wait for a better score; left out, training goes to its end.
        min_delta: What counts as better.
        mode: ``max`` if more is better, ``min`` if less is.
    """

    def __init__(
        self,
        monitor: str = "val/f1",
        patience: int | None = None,
        min_delta: float = 0.0,
        mode: str = "max",
    ) -> None:
        # never to be reached: without a patience nothing is looked at
        super().__init__(monitor, min_delta=min_delta, patience=patience or 1, mode=mode)
        self.is_on = patience is not None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was seen; how long to wait is what is asked for now."""
        super().load_state_dict({**state_dict, "patience": self.patience})

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Leave a training that had stopped where it is, unless there is patience left now."""
        if self.is_on and self.wait_count >= self.patience:
            trainer.should_stop = True

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Look at the score, if a patience was given."""
        if self.is_on and not is_warming_up(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Look at the score, if a patience was given."""
        if self.is_on and not is_warming_up(trainer):
            super().on_train_epoch_end(trainer, pl_module)
