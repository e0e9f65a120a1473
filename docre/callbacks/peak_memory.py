"""How much memory a training takes."""

from __future__ import annotations

import sys

import lightning
import torch

# ru_maxrss counts KiB, on macOS bytes
_UNIT = 1 if sys.platform == "darwin" else 2**10


class PeakMemory(lightning.Callback):
    """Logs ``memory/peak_gb`` behind each epoch: the most that was held so far, in 10^9 bytes.

    On a GPU it is what PyTorch has held there, on a CPU what the process has; of rank 0.
    """

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Log it."""
        peak = peak_memory(pl_module.device) / 1e9
        if not peak:
            return
        for logger in trainer.loggers:
            logger.log_metrics({"memory/peak_gb": peak}, step=trainer.global_step)


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has held: on a GPU, or else in main memory.

    0 where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
