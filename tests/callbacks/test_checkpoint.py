"""Best epoch and last epoch."""

import pytest
import torch

from docre.callbacks import RunCheckpoint
from tests.callbacks.test_stop_early import Scores
from tests.test_model import trainer


def epochs_of(folder):
    return {
        path.stem: torch.load(path, weights_only=True)["epoch"] for path in folder.glob("*.ckpt")
    }


def fit(folder, scores, **options):
    settings = {"monitor": "val/f1", "mode": "max", "filename": "best"} | options
    callback = RunCheckpoint(dirpath=folder, enable_version_counter=False, **settings)
    made = trainer(folder=None, max_epochs=len(scores), num_sanity_val_steps=0)
    made.callbacks.append(callback)
    loader = torch.utils.data.DataLoader(range(1))
    made.fit(Scores(scores), loader, loader)


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
