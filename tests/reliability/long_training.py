"""A callback that measures the process it trains in, for ``test_long_runs``."""

import json
import time
from pathlib import Path

import lightning
import psutil
import torch

EVERY = 10  # steps


class Samples(lightning.Callback):
    """Writes what a training has taken, by step and by epoch.

    Memory, files and threads are those of this process and, added up, of its workers. Time is the
    processor time of this process, as the wall clock of a shared machine says little; and as even
    that depends on who shares the caches, the same small piece of work is timed all along.

    Args:
        output: File to write.
    """

    def __init__(self, output: Path) -> None:
        self.output = Path(output)
        self.steps: list[float] = []  # time at the end of each step
        self.epochs: list[tuple[int, float]] = []  # steps so far, time
        self.taken: list[dict[str, float]] = []
        self._me, self._spent = psutil.Process(), 0.0
        self._matrix = torch.linspace(-1, 1, 96 * 96).view(96, 96)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append(self._clock())
        if len(self.steps) % EVERY == 0:
            began = time.process_time()
            self.taken.append({"step": len(self.steps), **self._now()})
            self._spent += time.process_time() - began

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs.append((len(self.steps), self._clock()))

    def on_fit_end(self, trainer, pl_module):
        body = {"steps": self.steps, "epochs": self.epochs, "taken": self.taken}
        self.output.write_text(json.dumps(body))

    def _clock(self):
        return time.process_time() - self._spent

    def _now(self):
        workers = self._me.children()
        return {
            "rss": self._me.memory_info().rss,
            "threads": self._me.num_threads(),
            # what a worker shares with this process is no memory of its own
            "workers_rss": sum(one.memory_full_info().uss for one in workers),
            # batches on their way are files, now of the one, now of the other
            "files": sum(one.num_fds() for one in [self._me, *workers]),
            "yardstick": self._yardstick(),
        }

    def _yardstick(self):
        began = time.process_time()
        for _ in range(20):
            torch.mm(self._matrix, self._matrix)
        sum(number * number for number in range(10_000))
        return time.process_time() - began
