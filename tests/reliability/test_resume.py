"""Interrupted at any update, under any setting: the training that was never interrupted."""

import pytest

from docre import write_documents
from tests.interruptions import checkpoint, same_training, train, train_and_interrupt
from tests.reliability.extent import by_extent
from tests.test_joint_model import TINY as JOINT
from tests.test_joint_model import people
from tests.test_training import TINY, quietly

pytestmark = pytest.mark.reliability

BUDGET = "--data.init_args.batches={batch_size: null, token_budget: 400, pair_budget: 2000}"
SETTINGS = {
    "validation within epochs": ["--trainer.val_check_interval=0.5"],
    "accumulated": ["--trainer.accumulate_grad_batches=2", "--trainer.max_epochs=8"],
    "counted in steps": ["--trainer.max_steps=24", "--trainer.max_epochs=-1"],
    "workers": ["--data.init_args.batches.num_workers=2"],
    "budget": [BUDGET],
    "part of an epoch": ["--trainer.limit_train_batches=4", "--trainer.max_epochs=6"],
    "validated every second epoch": ["--trainer.check_val_every_n_epoch=2"],
    "bf16": ["--trainer.precision=bf16-mixed"],
}
# six updates an epoch
STEPS = by_extent((5, 6, 8), (1, 5, 6, 8, 9, 12, 13, 23))


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_pair_model(tmp_path, monkeypatch, figures, setting):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY.replace("max_epochs: 3", "max_epochs: 4"))
    command = "fit", "--config", "tiny.yaml", *SETTINGS[setting]
    whole = train("whole", *command)
    for step in STEPS:
        run = train_and_interrupt(monkeypatch, step, f"at_{step}", *command)
        assert checkpoint(run)["global_step"] == step
        quietly("fit", "--resume", run)
        same_training(whole, run)
        figures.add("interrupted trainings, equal to the last bit", 1, of=1)


def test_a_joint_model(tmp_path, monkeypatch, figures):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "joint.yaml").write_text(JOINT.replace("max_epochs: 30", "max_epochs: 6"))
    for number, split in enumerate(("train", "dev", "test")):
        made = [people(seed) for seed in range(12 * number, 12 * number + 12)]
        write_documents(tmp_path / f"{split}.jsonl", made)
    command = "fit", "--config", "joint.yaml", "--trainer.check_val_every_n_epoch=1"
    whole = train("whole", *command)
    for step in (2, 3, 7, 13):  # the reads begin in between
        run = train_and_interrupt(monkeypatch, step, f"at_{step}", *command)
        quietly("fit", "--resume", run)
        same_training(whole, run)
        figures.add("interrupted trainings, equal to the last bit", 1, of=1)


def test_a_training_that_stopped_early(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY.replace("max_epochs: 3", "max_epochs: 20"))
    run = train("early", "fit", "--config", "tiny.yaml", "--stop_early.patience=2")
    ended = checkpoint(run)
    assert ended["epoch"] < 19
    quietly("fit", "--resume", run)
    assert checkpoint(run)["global_step"] == ended["global_step"]
    quietly("fit", "--resume", run, "--stop_early.patience=4")
    assert checkpoint(run)["global_step"] > ended["global_step"]
