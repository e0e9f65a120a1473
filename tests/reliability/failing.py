"""A process that fails while the others go on."""

import lightning

from docre.errors import DocreError


class FailsAlone(lightning.Callback):
    """Fails in one process, before its third step."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_rank == self.rank and trainer.global_step == 2:
            raise DocreError("this process is broken")
