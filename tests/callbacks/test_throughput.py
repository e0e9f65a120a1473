"""Documents, tokens and pairs a second."""

from types import SimpleNamespace

import pytest

from docre.callbacks import Throughput
from docre.callbacks import throughput as module
from tests.batches import make_batch
from tests.test_model import Log


def test_rates(monkeypatch):
    clock = [10.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    log, callback = Log(), Throughput()
    trainer = SimpleNamespace(log_every_n_steps=2, loggers=[log], world_size=3, global_step=0)
    batch = make_batch([[1] * 5, [1] * 3], [[[1], [2], [3]], [[1], [2]]])
    callback.on_train_epoch_start(trainer, None)

    def step(index, seconds):
        clock[0] += seconds
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, None, None, batch, index)

    step(0, 1.0)
    assert log.lines == []
    step(1, 3.0)
    # twice 2 documents, 8 tokens without padding, 8 pairs, on 3 ranks, in 4 seconds
    expected = {"documents": 3.0, "tokens": 12.0, "pairs": 12.0}
    (where, found), *_ = log.lines
    assert where == 2
    assert found == {f"throughput/{name}": value for name, value in expected.items()}
    # validation is not training
    clock[0] += 100.0
    callback.on_validation_end(trainer, None)
    step(2, 1.0)
    step(3, 1.0)
    assert log.lines[1][1]["throughput/documents"] == pytest.approx(6.0)


def test_nothing_to_do_without_a_log():
    callback = Throughput()
    trainer = SimpleNamespace(log_every_n_steps=1, loggers=[], world_size=1, global_step=1)
    callback.on_train_epoch_start(trainer, None)
    callback.on_train_batch_end(trainer, None, None, make_batch([[1]], [[]]), 0)
