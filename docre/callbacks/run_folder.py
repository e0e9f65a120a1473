"""Where the files of a run lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import lightning


def run_folder(trainer: lightning.Trainer) -> Path | None:
    """Return the folder of a run: that of its checkpoint, else of its logger.

    ``None`` for a run that leaves nothing behind (``--trainer.logger false``, a fast dev run).
    """
    ckpt = getattr(trainer, "ckpt_path", None)
    if ckpt and Path(ckpt).parent.name == "checkpoints" and not cast(Any, trainer).fast_dev_run:
        return Path(ckpt).parent.parent
    return log_folder(trainer)


def log_folder(trainer: lightning.Trainer) -> Path | None:
    """Return the folder of a trainer's logger, ``None`` if nothing is logged.

    Unlike ``trainer.log_dir`` it asks no other rank, so rank 0 may call it alone.
    """
    if cast(Any, trainer).fast_dev_run:
        return None
    for logger in trainer.loggers:
        folder = getattr(logger, "log_dir", None) or logger.save_dir
        if folder is not None:
            return Path(folder)
    return None
