"""The most memory that was held."""

from types import SimpleNamespace

import numpy as np
import torch

from docre.callbacks import PeakMemory
from docre.callbacks.peak_memory import peak_memory
from tests.test_model import Log


def test_what_is_taken_is_seen():
    before = peak_memory(torch.device("cpu"))
    held = np.ones(before // 8 + 25_000_000)  # more than was ever held
    after = peak_memory(torch.device("cpu"))
    assert after - before > 100e6
    log = Log()
    trainer = SimpleNamespace(loggers=[log], global_step=7)
    PeakMemory().on_train_epoch_end(trainer, SimpleNamespace(device=torch.device("cpu")))
    ((step, found),) = log.lines
    assert step == 7
    assert after / 1e9 <= found["memory/peak_gb"] < after / 1e9 + 1
    assert len(held)
