"""Where the files of a run lie."""

from __future__ import annotations

from pathlib import Path

import lightning


def run_folder(trainer: lightning.Trainer) -> Path | None:
    """Return the folder of a run: that of its checkpoint, else of its logger.

    ``None`` for a run that leaves nothing behind (``--trainer.logger false``, a fast dev run).
    """
    ckpt = getattr(trainer, "ckpt_path", None)
    if ckpt and Path(ckpt).parent.name == "checkpoints":
        return Path(ckpt).parent.parent
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    for logger in trainer.loggers:
        folder = getattr(logger, "log_dir", None) or logger.save_dir
        if folder is not None:
            return Path(folder)
    return None
