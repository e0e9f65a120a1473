"""When figures and texts are made: at the first and the last validation, and evenly between."""

from __future__ import annotations

import logging

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS

from docre.dashboard import Dashboard, DashboardPart
from docre.dashboard.drawing_times import is_due
from docre.dashboard.hparams_tab import FOLDER, add_test_scores
from tests.dashboard.plain_training import OFF, recording, train
from tests.dashboard.runs import ended, events


def times(total, drawings, epochs=30):
    done, drawn = [], 0
    for step in range(10, 10 * epochs + 1, 10):
        if is_due(step, total, drawings, drawn):
            drawn = step
            done += [drawn]
    return done


def test_drawings_are_spread_over_the_training():
    assert times(300, 4) == [10, 100, 200, 300]
    assert times(300, 2) == [10, 300]
    assert times(20, 4, epochs=2) == [10, 20]
    assert times(300, 0) == times(300, 1) == []  # one is made when training has ended
    assert times(float("inf"), 4) == [10, 20, 40, 80, 160]


class Interrupting(lightning.Callback):
    """Ends a training in the middle of an epoch, or of a validation."""

    def __init__(self, error, within="train"):
        self.error, self.within = error, within

    def on_train_batch_start(self, trainer, pl_module, batch, number):
        if self.within == "train" and trainer.global_step == 13:
            raise self.error

    def on_validation_batch_end(self, trainer, *given):
        if self.within == "validation" and trainer.global_step == 15:
            raise self.error


@pytest.mark.parametrize(
    ("callback", "options", "raises"),
    [
        (EarlyStopping("val/f1", patience=1, mode="max"), {"max_epochs": 90}, None),
        (None, {"max_epochs": 90, "max_steps": 13}, None),
        (Interrupting(KeyboardInterrupt()), {"max_epochs": 90}, SystemExit),
        (Interrupting(KeyError("x")), {"max_epochs": -1}, KeyError),
    ],
)
def test_the_last_validation_is_drawn_however_training_ends(
    tmp_path, callback, options, raises, monkeypatch
):
    monkeypatch.setattr("signal.signal", lambda *given: None)  # Lightning turns Ctrl-C off
    dashboard, part = recording()
    callbacks = [dashboard] if callback is None else [dashboard, callback]
    if raises is None:
        train(tmp_path, *callbacks, **options)
    else:
        with pytest.raises(raises):
            train(tmp_path, *callbacks, **options)
    logged = [event.step for event in events(tmp_path / "version_0").Scalars("val/f1")]
    assert part.shown == logged  # where Lightning has its scores
    assert len(logged) == 2
    assert part.drawn == logged
    assert not dashboard._hooks


def test_a_validation_that_is_broken_off_is_not_drawn(tmp_path):
    dashboard, part = recording()
    with pytest.raises(KeyError):
        train(tmp_path, dashboard, Interrupting(KeyError("x"), "validation"), max_epochs=90)
    assert part.drawn == [4]
    assert part.shown == [4, 9]
    assert not dashboard._hooks


@pytest.mark.parametrize(("drawings", "steps"), [(0, []), (1, [19]), (2, [4, 19])])
def test_few_drawings(tmp_path, drawings, steps):
    dashboard, part = recording(drawings)
    train(tmp_path, dashboard, max_epochs=4)
    assert part.shown == [4, 9, 14, 19]
    assert part.drawn == steps


def test_a_training_that_goes_on_is_drawn_as_if_it_had_never_ended(tmp_path):
    whole, part = recording(3)
    train(tmp_path, whole, max_epochs=8)
    assert part.drawn == [4, 19, 39]

    class Leaving(lightning.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "kept.ckpt")

    dashboard, part = recording(3)
    train(tmp_path, dashboard, Leaving(), max_epochs=8)
    part.drawn.clear()  # the same one again must not know what it did then
    train(tmp_path, dashboard, max_epochs=8, ckpt_path=tmp_path / "kept.ckpt")
    assert part.drawn == [19, 39]


def test_training_is_the_same_without_it(tmp_path):
    weights = []
    for callbacks in ([], [recording()[0]]):
        torch.manual_seed(0)
        trained = train(tmp_path, *callbacks, max_epochs=2).lightning_module
        weights.append(torch.cat([values.flatten() for values in trained.parameters()]))
    assert torch.equal(*weights)


def test_only_the_first_of_two_shows_anything(tmp_path):
    (own, mine), (default, other) = recording(), recording()
    train(tmp_path, own, default, max_epochs=1, enable_checkpointing=True)
    assert (mine.begun, mine.shown, mine.drawn) == (1, [4], [4])
    assert (other.begun, other.shown, other.drawn) == (0, [], [])


def test_a_part_that_fails_is_left_out(tmp_path, caplog):
    class Odd(DashboardPart):
        calls = 0

        def see(self, board, batch, output):
            Odd.calls += 1
            raise ValueError("no picture")

    dashboard, part = recording()
    dashboard.parts.insert(0, Odd())
    with caplog.at_level(logging.WARNING, "docre"):
        train(tmp_path, dashboard, max_epochs=2)
    assert Odd.calls == 1
    assert "goes on without its Odd" in caplog.text
    assert part.shown == [4, 9]


def test_how_a_training_ended(tmp_path):
    only_tab = OFF | {"hparams": True}
    with pytest.raises(KeyError):
        train(tmp_path, Dashboard(**only_tab), Interrupting(KeyError("x")), max_epochs=9)
    assert ended(tmp_path / "version_0").status == STATUS_FAILURE
    dashboard = Dashboard(**only_tab)
    trainer = train(tmp_path, dashboard, max_epochs=1)
    assert ended(tmp_path / "version_1").status == STATUS_SUCCESS
    add_test_scores(tmp_path / "version_1", {"test/f1": 0.25, "test/loss": 1.0})
    assert events(tmp_path / "version_1" / FOLDER).Scalars("hp/test_f1")[-1].value == 0.25
    # and after a test, into the folder of the run
    trainer.callback_metrics["test/f1"] = 0.75
    dashboard.on_test_end(trainer, trainer.lightning_module)
    assert events(tmp_path / "version_1" / FOLDER).Scalars("hp/test_f1")[-1].value == 0.75
