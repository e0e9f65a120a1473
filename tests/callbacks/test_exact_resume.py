"""A training that is told to end and goes on is the one that was never interrupted."""

import json
import random

import numpy as np
import pytest
import torch

from docre.errors import DocreError
from docre.model import DocREModel
from docre.random_state import random_states, set_random_states
from tests.interruptions import checkpoint, same_training, train, train_and_interrupt
from tests.test_training import TINY, failing, quietly, scalars

COMMAND = ("fit", "--config", "tiny.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    config = TINY.replace("train_documents: 24", "train_documents: 12")
    (folder / "tiny.yaml").write_text(config.replace("max_epochs: 3", "max_epochs: 2"))
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    """A training that nobody interrupts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder / train("whole", *COMMAND)


# three updates an epoch: in the middle of one, at its end
@pytest.mark.parametrize("step", [1, 3])
def test_going_on_is_as_if_nothing_had_happened(here, whole, monkeypatch, capsys, step):
    run = train_and_interrupt(monkeypatch, step, f"at_{step}", *COMMAND)
    assert f"docre fit --resume {run}\n" in capsys.readouterr().out
    assert checkpoint(run)["global_step"] == step
    quietly("fit", "--resume", run)
    same_training(whole, run)
    kept = scalars(run)
    for name, points in scalars(whole).items():
        # what is said of the machine is another run's own
        if not name.startswith(("throughput/", "memory/peak_gb")):
            assert kept[name] == points, name
    assert json.loads((run / "run.json").read_text())["seed"] == 7


def test_a_finished_training_stays_as_it_is(here, whole):
    before = checkpoint(whole)
    quietly("fit", "--resume", whole)
    assert torch.equal(
        before["docre_random_states"][0]["torch"],
        checkpoint(whole)["docre_random_states"][0]["torch"],
    )
    same_training(whole, whole)


def test_the_last_state_is_kept_every_so_many_updates(here, monkeypatch):
    step = DocREModel.training_step

    def breaks(self, batch, batch_idx):
        if self.global_step == 2:
            raise DocreError("the power is gone")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(DocREModel, "training_step", breaks)
    with pytest.raises(DocreError):
        train("often", *COMMAND, "--checkpoint.keep_last_every=2")
    assert checkpoint(here / "runs/tiny/often")["global_step"] == 2


def test_what_cannot_go_on(here, capsys):
    assert failing(capsys, "fit", "--resume", "nowhere") == (
        1,
        "docre: error: no such run folder: nowhere\n",
    )
    assert failing(capsys, "test", "--resume", "runs") == (
        1,
        "docre: error: --resume belongs to docre fit; docre test takes --run\n",
    )


def test_another_logger(here, capsys):
    logger = '{"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "c"}}'
    quietly(*COMMAND, f"--trainer.logger={logger}", "--trainer.max_epochs=1")
    code, told = failing(capsys, "fit", "--resume", "c/tiny/version_0")
    assert code == 1
    assert "--resume needs the TensorBoardLogger alone" in told
    assert "--ckpt_path c/tiny/version_0/checkpoints/last.ckpt" in told


def test_nothing_saved_begins_again_in_the_same_folder(here, whole, caplog):
    run = train("nothing", *COMMAND)
    for left in (run / "checkpoints").iterdir():
        left.unlink()
    quietly("fit", "--resume", run)
    assert "nothing was saved there yet" in caplog.text
    same_training(whole, run)


def test_states_come_back():
    device = torch.device("cpu")
    states = random_states(device)
    drawn = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    set_random_states(states, device)
    again = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    assert torch.equal(drawn[0], again[0])
    assert (drawn[1] == again[1]).all()
    assert drawn[2] == again[2]
