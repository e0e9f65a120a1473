"""A sweep of real trainings, killed on the way."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from docre.chain.state import locked
from docre.errors import DocreError
from docre.sweep.command import sweep
from docre.sweep.sweep_file import read_sweep
from tests.test_training import TINY

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
base: tiny.yaml
axes:
  memory:
    none: overlays/memory/none.yaml
    ttm:
seeds: [1, 2]
options:
  trainer.max_epochs: 4
  trainer.log_every_n_steps: 1
  trainer.enable_progress_bar: false
  trainer.enable_model_summary: false
test: true
"""
STEPS = 6  # of an epoch


@pytest.mark.slow
def test_a_sweep_of_real_trainings(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("tiny.yaml").write_text(TINY)
    Path("toy.yaml").write_text(TEXT)
    runs = [run.folder(Path("runs/toy")) for run in read_sweep(Path("toy.yaml")).runs({})]
    code = "from docre.sweep.command import sweep; sweep('toy.yaml', jobs=2)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    last = runs[0] / "checkpoints" / "last.ckpt"
    end = time.monotonic() + 300
    while not last.exists() and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while any(is_locked(run) for run in runs[:2]) and time.monotonic() < end:
        time.sleep(0.01)  # its commands die by themselves
    done = torch.load(last, weights_only=True)
    assert done["epoch"] < 3, "it was not killed in the middle"
    assert [run.exists() for run in runs] == [True, True, False, False]

    assert sweep("toy.yaml", jobs=2) == 0
    for run in runs:
        # no update twice, whatever was killed
        steps = [
            event.step
            for file in sorted(run.glob("events*"), key=lambda path: path.stat().st_mtime)
            for event in scalars(file)
        ]
        assert steps[-1] == 4 * STEPS - 1
        if run != runs[0]:
            assert len(set(steps)) == 4 * STEPS
    new = max(runs[0].glob("events*"), key=lambda path: path.stat().st_mtime)
    assert [event.step for event in scalars(new)] == list(range(done["global_step"], 4 * STEPS))
    seeds = [json.loads((run / "run.json").read_text())["seed"] for run in runs]
    assert seeds == [1, 1, 2, 2]

    out = capfd.readouterr().out
    assert "Runs of toy" in out
    assert all((Path("runs/toy") / f"sweep.{kind}").exists() for kind in ("md", "png"))
    rows = list(csv.DictReader(Path("runs/toy/sweep.csv").read_text().splitlines()))
    shown = [float(value) for row in rows for value in row.values() if is_number(value)]
    for cell in ("none", "ttm"):
        files = [run / "scores" / "test.json" for run in runs if f"={cell}" in str(run)]
        mean = fmean(json.loads(file.read_text())["scores"]["f1"] for file in files)
        assert any(abs(value - mean) < 1e-6 or abs(value - 100 * mean) < 1e-4 for value in shown)

    before = {path: path.stat().st_mtime_ns for run in runs for path in run.rglob("*.ckpt")}
    assert sweep("toy.yaml", jobs=2) == 0
    assert "finished before, nothing has changed: 4 of 4" in capfd.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for run in runs for path in run.rglob("*.ckpt")}


def is_locked(folder):
    try:
        with locked(folder):
            return False
    except DocreError:
        return True


def scalars(file):
    events = EventAccumulator(str(file))
    events.Reload()
    known = events.Tags()["scalars"]
    return events.Scalars("train/loss") if "train/loss" in known else []


def is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
