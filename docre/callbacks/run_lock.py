"""One training at a time in a run folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import lightning

from docre.callbacks.run_folder import log_folder
from docre.errors import DocreError

_FILE = ".training.lock"


class RunLock(lightning.Callback):
    """Keeps a second training out of the folder of the first.

    Two would write the same checkpoints. The lock ends with the process, however that ends; data
    loaders and other processes that it forked do not keep it.
    """

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._path: Path | None = None

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Take the folder.

        Raises:
            DocreError: If another training is at work there.
        """
        folder = log_folder(trainer)
        if stage != "fit" or folder is None or not trainer.is_global_zero:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / _FILE
        self._file = _locked(self._path)

    def teardown(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Give the folder back."""
        self._give_back()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Give the folder back; nothing is torn down then."""
        self._give_back()

    def _give_back(self) -> None:
        file, self._file = self._file, None
        if file is not None and self._path is not None:
            self._path.unlink(missing_ok=True)
            file.close()


def _locked(path: Path) -> BinaryIO | None:
    """Return the file with its lock, or ``None`` where the disk has no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    while True:
        file = path.open("ab")
        try:
            # of this process alone, unlike those of flock, which are inherited
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.close()
            raise DocreError(
                f"{path.parent}: another training is at work there; wait for its end, or end it"
            ) from None
        except OSError:
            file.close()
            return None
        with suppress(FileNotFoundError):  # one that ended just now has removed it
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()
