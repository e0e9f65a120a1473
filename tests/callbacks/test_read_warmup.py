"""Reads that begin in the midst of a training, and what is not made of the epochs before."""

import json
import logging
from contextlib import chdir
from functools import partial

import pytest
import torch

from docre.callbacks import ReadWarmup, RunCheckpoint, StopEarly
from docre.errors import DocreError
from docre.memory import ReadingLevel, SimilarityReader
from docre.memory.similarity_reads import InverseRead, PaddedInputs
from docre.parent import best_checkpoint
from tests.callbacks.test_checkpoint import epochs_of
from tests.callbacks.test_stop_early import Scores
from tests.corpora import golden
from tests.test_model import data_of, files, make, trainer  # noqa: F401
from tests.test_training import TINY, quietly

STATES = torch.linspace(-1, 1, 12).view(3, 4)


class Reading(Scores):
    """Reads in pairs, as pair models do, and in a level, as joint ones do.

    ``seen`` has what happened, the number of updates before it and whether the reads did anything.
    """

    def __init__(self, scores=(), fails_at=None):
        super().__init__(scores)
        self.reader = SimilarityReader(4, slots=2)
        self.level = ReadingLevel([InverseRead(4, [4])])
        self.seen, self.fails_at = [], fails_at

    def look(self, what):
        head, tail = self.reader(STATES, -STATES, torch.zeros(3, dtype=torch.long))
        inputs = PaddedInputs(torch.ones(1, 3, dtype=torch.bool))
        level = self.level(STATES[None], [torch.ones(2, 4)], inputs)[0]
        same = {torch.equal(head, STATES), torch.equal(tail, -STATES), torch.equal(level, STATES)}
        (unchanged,) = same  # all or none
        self.seen.append((what, self.trainer.global_step, not unchanged))
        return head.sum() + level.sum()

    def training_step(self, batch, _):
        if self.trainer.global_step == self.fails_at:
            raise KeyError("a crash")
        return self.look("train")

    def validation_step(self, batch, _):
        self.look("sanity" if self.trainer.sanity_checking else "validate")
        if self.scores:
            super().validation_step(batch, _)

    def test_step(self, batch):
        self.look("test")

    def predict_step(self, batch, _):
        self.look("predict")


def fit(model, *callbacks, batches=3, resume=None, **options):
    """Train, and return the trainer."""
    saving = [each for each in callbacks if isinstance(each, RunCheckpoint)]
    others = [each for each in callbacks if each not in saving]
    made = trainer(*others, **{"num_sanity_val_steps": 0, **options})
    made.callbacks += saving  # Lightning has them last, too
    loader = torch.utils.data.DataLoader(range(batches))
    made.fit(model, loader, torch.utils.data.DataLoader(range(1)), ckpt_path=resume)
    return made


def keeping(folder, **options):
    settings = {"monitor": "val/f1", "mode": "max", "filename": "best"} | options
    return RunCheckpoint(dirpath=folder, enable_version_counter=False, **settings)


# --- which updates read ---------------------------------------------------------------------------


def test_published_steps():
    count = 0
    for said in json.loads(golden("joint/memory/warmup.json").read_text())["rows"]:
        # the published loop leaves batches out that do not fill an update
        other_loop = said["devices"] > 1 or said["batches"] % said["accumulate"]
        if other_loop or said["total_steps"] > 100:
            continue
        count += 1
        model, share = Reading(), said["proportion"]
        made = fit(
            model,
            ReadWarmup(int(share) if said["proportion_is_int"] else float(share)),
            batches=said["batches"],
            max_epochs=said["epochs"],
            limit_train_batches=said["limit_train_batches"],
        )
        found = {(step, reads) for _, step, reads in model.seen}
        assert len(found) == said["total_steps"] + 1
        expected = {(step, on) for step, on in said["reads_on_at_step"] if step <= made.global_step}
        assert expected <= found
        assert all(reads == (step >= said["warmup_steps"]) for step, reads in found)
    assert count == 4


@pytest.mark.parametrize("often", [False, True])
def test_validation_does_as_the_next_update(often):
    model, options = Reading(), {"val_check_interval": 1} if often else {}
    fit(model, ReadWarmup(0.5), max_epochs=4, num_sanity_val_steps=1, **options)
    assert model.seen[0] == ("sanity", 0, False)
    judged = [(step, reads) for what, step, reads in model.seen if what == "validate"]
    after = range(1, 13) if often else range(3, 13, 3)
    assert judged == [(step, step >= 6) for step in after]


def test_a_model_always_reads_outside_of_a_training():
    warmup, model = ReadWarmup(1.0), Reading()
    loader = torch.utils.data.DataLoader(range(1))
    for _ in range(2):
        made = fit(model, warmup, max_steps=2)
        assert not warmup.warming_up
        assert [reads for what, _, reads in model.seen if what == "train"] == [False, False]
        model.seen.clear()
        made.validate(model, loader, verbose=False)
        made.test(model, loader, verbose=False)
        made.predict(model, loader, return_predictions=False)
        assert [(what, reads) for what, _, reads in model.seen] == [
            (what, True) for what in ("validate", "test", "predict")
        ]
        model.seen.clear()


def test_a_model_reads_after_a_crash():
    warmup, model = ReadWarmup(), Reading(fails_at=1)
    with pytest.raises(KeyError, match="a crash"):
        fit(model, warmup, max_epochs=5)
    assert not warmup.warming_up
    assert model.reader.reading
    assert model.level.reading


@pytest.mark.parametrize("fails_at", [3, 5, 6, 10])
def test_a_resumed_training_goes_on_as_it_would_have(tmp_path, fails_at):
    """Three updates an epoch, the first that reads is number 6: the last of epoch 1 is before."""
    whole = Reading([0.1] * 4)
    fit(whole, ReadWarmup(0.5), max_epochs=4)
    with pytest.raises(KeyError, match="a crash"):
        fit(Reading([0.1] * 4, fails_at), ReadWarmup(0.5), keeping(tmp_path), max_epochs=4)
    again, last = Reading([0.1] * 4), tmp_path / "last.ckpt"
    fit(again, ReadWarmup(0.5), max_epochs=4, resume=last, num_sanity_val_steps=1)
    start = fails_at // 3 * 3
    resumed = [row for row in again.seen if row[0] != "sanity"]
    assert resumed == [row for row in whole.seen if row[1] > start or row[:2] == ("train", start)]
    assert resumed[0] == ("train", start, start >= 6)


def test_reading_never_ends(tmp_path):
    """With more epochs the share is of more updates; the model reads already."""
    fit(Reading([0.1] * 2), ReadWarmup(0.5), keeping(tmp_path), max_epochs=2)
    again = Reading([0.1] * 8)
    fit(again, ReadWarmup(0.5), max_epochs=8, resume=tmp_path / "last.ckpt")
    assert len(again.seen) == 24
    assert all(reads for *_, reads in again.seen)


def test_within_the_warmup_the_new_number_of_updates_counts(tmp_path):
    with pytest.raises(KeyError, match="a crash"):
        fit(Reading([0.1] * 4, fails_at=4), ReadWarmup(0.5), keeping(tmp_path), max_epochs=4)
    again = Reading([0.1] * 8)
    fit(again, ReadWarmup(0.5), max_epochs=8, resume=tmp_path / "last.ckpt")
    assert [step for what, step, _ in again.seen if what == "train"] == list(range(3, 24))
    assert all(reads == (step >= 12) for _, step, reads in again.seen)


def test_what_is_said(caplog):
    caplog.set_level(logging.INFO, "docre")
    for proportion, begins in (
        (0.5, ["the model reads from its memories from update 6 on"]),
        (0.0, []),
    ):
        caplog.clear()
        fit(Reading(), ReadWarmup(proportion), max_epochs=4)
        said = [each.getMessage() for each in caplog.records if each.name.startswith("docre")]
        assert said == begins


@pytest.mark.parametrize("proportion", [-0.1, 1.1, float("nan"), -3])
def test_what_is_no_share(proportion):
    with pytest.raises(DocreError, match=r"trainer\.callbacks, ReadWarmup: "):
        ReadWarmup(proportion)


def test_a_model_without_reads_is_refused():
    with pytest.raises(DocreError, match=r"trainer\.callbacks: ReadWarmup has nothing") as told:
        fit(Scores([0.1]), ReadWarmup())
    assert "--trainer.callbacks null" in str(told.value)


# --- best epoch and early stopping ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("proportion", "scores", "best"),
    [
        (0.0, [0.9, 0.8, 0.1, 0.2], 0),
        # an epoch that ends where reads begin has no update with reads
        (0.5, [0.9, 0.8, 0.1, 0.2], 3),
        (0.5, [0.9, 0.8, 0.2, 0.1], 2),
        (0.4, [0.9, 0.8, 0.2, 0.1], 1),
        (0.6, [0.9, 0.8, 0.1, 0.2], 3),
        (0.6, [0.9, 0.8, 0.2, 0.1], 2),
    ],
)
@pytest.mark.parametrize("often", [False, True])
def test_the_best_epoch_is_one_that_reads(tmp_path, proportion, scores, best, often):
    options = {"val_check_interval": 1} if often else {}
    fit(Reading(scores), keeping(tmp_path), ReadWarmup(proportion), max_epochs=4, **options)
    assert epochs_of(tmp_path) == {"best": best, "last": 3}


def test_best_after_every_so_many_updates(tmp_path):
    saved = keeping(tmp_path, monitor=None, every_n_train_steps=1, filename="{step}", save_top_k=-1)
    fit(Reading(), saved, ReadWarmup(0.5), max_epochs=4)
    assert {path.stem for path in tmp_path.iterdir()} == {
        "last",
        *(f"step={step}" for step in range(7, 13)),
    }


@pytest.mark.parametrize("fails_at", [6, 7])
def test_a_training_resumed_where_reads_begin(tmp_path, fails_at):
    """The last checkpoint is of the epoch that ends there; it reads on, and is never the best."""
    scores, last = [0.9, 0.8, 0.1, 0.2], tmp_path / "last.ckpt"
    with pytest.raises(KeyError, match="a crash"):
        fit(Reading(scores, fails_at), keeping(tmp_path), ReadWarmup(0.5), max_epochs=4)
    assert epochs_of(tmp_path) == {"last": 1}
    warmup, again = ReadWarmup(0.5), Reading(scores)
    fit(again, keeping(tmp_path), warmup, max_epochs=4, resume=last)
    assert next(row for row in again.seen if row[0] == "train") == ("train", 6, True)
    assert epochs_of(tmp_path) == {"best": 3, "last": 3}


def test_warming_up_ends_with_an_update_that_reads():
    seen = []

    class Watch(ReadWarmup):
        def on_train_batch_end(self, trainer, *given):
            super().on_train_batch_end(trainer, *given)
            seen.append((trainer.global_step, self.warming_up))

    for proportion, border in ((0.5, 6), (0.0, -1), (1.0, 12)):
        seen.clear()
        fit(Reading(), Watch(proportion), max_epochs=4)
        assert seen == [(step, step <= border) for step in range(1, 13)]


def test_a_training_that_ends_within_the_warmup(tmp_path, caplog):
    folder = tmp_path / "checkpoints"
    saved = keeping(folder)
    fit(Reading([0.9] * 4), saved, ReadWarmup(9), max_epochs=4, max_time={"seconds": 0})
    assert saved.best_model_path == ""
    assert epochs_of(folder).keys() <= {"last"}
    caplog.clear()
    fit(Reading([0.9] * 4), saved, ReadWarmup(13), max_epochs=4)
    (record,) = (one for one in caplog.records if one.name.startswith("docre"))
    assert "ended after 12 updates, and the first 13 do not read" in record.getMessage()
    assert epochs_of(folder) == {"last": 3}
    assert saved.best_model_path == ""
    assert best_checkpoint(tmp_path) == folder / "last.ckpt"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("proportion", "epochs"), [(0.0, 2), (0.3, 3), (0.45, 4), (0.5, 5)])
def test_early_stopping_waits_for_the_reads(proportion, epochs, first):
    """Scores only fall; six epochs of three updates."""
    callbacks = [ReadWarmup(proportion), StopEarly(patience=1)]
    model = Reading([0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    made = fit(model, *(callbacks if first else reversed(callbacks)), max_epochs=6)
    assert made.current_epoch == epochs


# --- real models ----------------------------------------------------------------------------------


def test_a_pair_model(files):  # noqa: F811
    model = make(partial(SimilarityReader, slots=3))
    seen = []

    class Watch(ReadWarmup):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            grads = [p.grad for p in pl_module.head.memory.parameters()]
            assert all(grad is not None for grad in grads)  # plain DDP stops otherwise
            seen.append(any(bool(grad.any()) for grad in grads))

    trainer(Watch(0.4), max_epochs=3).fit(model, datamodule=data_of(files))
    assert seen == [False] * 6 + [True] * 9


def test_from_a_configuration(tmp_path):
    """Only what reads is in the best checkpoint, and a run with a warm-up is tested as others."""
    config = TINY.replace("TokenTuringReader", "SimilarityReader").replace(
        "{slots: 5, layers: 1, attention_heads: 2}", "{slots: 5}"
    )
    warmup = "  callbacks:\n    - class_path: docre.callbacks.ReadWarmup\n"
    (tmp_path / "tiny.yaml").write_text(f"{config}{warmup}      init_args: {{proportion: 0.9}}\n")
    with chdir(tmp_path):
        quietly("fit", "--config", "tiny.yaml")
        run = tmp_path / "runs" / "tiny" / "version_0"
        assert epochs_of(run / "checkpoints") == {"best": 2, "last": 2}
        quietly("test", "--run", run)
    assert (run / "scores" / "test.json").exists()
