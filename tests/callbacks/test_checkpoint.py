"""Best epoch and last epoch."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins import TorchCheckpointIO

from docre.callbacks import RunCheckpoint
from docre.callbacks.checkpoint import WholeCheckpoints
from docre.errors import DocreError
from tests.callbacks.test_stop_early import Scores
from tests.test_model import trainer

ROOT = Path(__file__).resolve().parents[2]


def epochs_of(folder):
    return {
        path.stem: torch.load(path, weights_only=True)["epoch"] for path in folder.glob("*.ckpt")
    }


def fit(folder, scores, ckpt_path=None, **options):
    settings = {"monitor": "val/f1", "mode": "max", "filename": "best"} | options
    callback = RunCheckpoint(dirpath=folder, enable_version_counter=False, **settings)
    made = trainer(folder=None, max_epochs=len(scores), num_sanity_val_steps=0)
    made.callbacks.append(callback)
    loader = torch.utils.data.DataLoader(range(1))
    made.fit(Scores(scores), loader, loader, ckpt_path=ckpt_path)


@pytest.mark.parametrize(
    ("scores", "best"), [([0.3, 0.2, 0.1], 0), ([0.1, 0.5, 0.2], 1), ([0.1, 0.2, 0.3], 2)]
)
def test_the_last_epoch_is_kept_whether_it_is_the_best_or_not(tmp_path, scores, best):
    fit(tmp_path, scores)
    assert epochs_of(tmp_path) == {"best": best, "last": 2}


def test_without_a_score_the_best_is_the_last(tmp_path):
    fit(tmp_path, [0.3, 0.2, 0.1], monitor=None)
    assert epochs_of(tmp_path) == {"best": 2, "last": 2}


def test_the_last_can_be_left_out(tmp_path):
    fit(tmp_path, [0.3, 0.2], keep_last=False)
    assert epochs_of(tmp_path) == {"best": 0}


KILLED = """
import os, signal, sys, torch
from docre.callbacks.checkpoint import WholeCheckpoints

def cut_short(checkpoint, file):
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

torch.save = cut_short
WholeCheckpoints().save_checkpoint({"epoch": 2}, sys.argv[1])
"""


def test_a_kill_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "last.ckpt"
    other = tmp_path / ".best.ckpt.1.part"
    other.touch()
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    left = set(tmp_path.iterdir()) - {path, other}
    assert [file.read_bytes() for file in left] == [b"half of it"]
    WholeCheckpoints().save_checkpoint({"epoch": 3}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 3}
    assert set(tmp_path.iterdir()) == {path, other}  # what is left of others is not its own


def test_no_other_disk_is_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError):  # as Lightning does
        TorchCheckpointIO().save_checkpoint({"epoch": 1}, tmp_path / "theirs.ckpt")
    path = tmp_path / "new" / "ours [1].ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)
    assert WholeCheckpoints().load_checkpoint(path) == {"epoch": 1}


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_damaged_checkpoint_is_named(tmp_path, share):
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"weights": torch.arange(5000.0)}, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DocreError, match=r"last\.ckpt is no checkpoint that can be read"):
        WholeCheckpoints().load_checkpoint(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        WholeCheckpoints().load_checkpoint(path)


def test_what_is_no_place_on_a_disk_is_left_to_lightning():
    WholeCheckpoints().save_checkpoint({"epoch": 1}, "memory://folder/last.ckpt")
    assert WholeCheckpoints().load_checkpoint("memory://folder/last.ckpt") == {"epoch": 1}


@pytest.mark.parametrize("how", ["by its absolute name", "moved", "in another folder"])
def test_going_on_remembers_what_was_the_best(tmp_path, monkeypatch, how):
    """A training that goes on in its folder has the same best epoch as one that never stopped."""
    monkeypatch.chdir(tmp_path)
    fit(Path("run"), [0.1, 0.5])
    folder = tmp_path / "run"
    if how == "moved":
        folder = folder.rename(tmp_path / "moved")
    start = folder / "last.ckpt"
    if how == "in another folder":
        folder = tmp_path / "new"
        with pytest.warns(UserWarning, match="dirpath has changed"):
            fit(folder, [0.1, 0.5, 0.3], ckpt_path=start)
        assert epochs_of(folder) == {"best": 2, "last": 2}
        return
    fit(folder, [0.1, 0.5, 0.3], ckpt_path=start)
    assert epochs_of(folder) == {"best": 1, "last": 2}
    fit(folder, [0.1, 0.5, 0.3, 0.6], ckpt_path=start)
    assert epochs_of(folder) == {"best": 3, "last": 3}
