"""Real trainings on toy data: what a chain leaves, and what a kill leaves of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from docre.chain.table import rows_of
from docre.training import run as run_here
from tests.chain.fakes import made
from tests.test_training import TINY

ROOT = Path(__file__).resolve().parents[2]
STEPS = 6  # of an epoch
QUIET = {
    "trainer.enable_progress_bar": "false",
    "trainer.enable_model_summary": "false",
    "trainer.log_every_n_steps": "1",
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    (folder / "tiny.yaml").write_text(TINY)
    return folder


@pytest.fixture(autouse=True)
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)


def in_this_process(arguments):
    run_here(arguments)
    return 0


def test_two_stages():
    text = """
stages:
  first: {fit: tiny.yaml, options: {trainer.max_epochs: 1}}
  second: {fit: tiny.yaml, init_from: first, options: {trainer.max_epochs: 2}, test: true}
"""

    run, _ = made(text, in_this_process, QUIET)
    assert run.run(["first", "second"]) == 0
    first, second = Path("runs/toy/first"), Path("runs/toy/second")
    assert {path.name for path in Path("runs/toy").iterdir()} == {"first", "second", "chain.json"}
    known = json.loads((second / "run.json").read_text())
    assert known["parent"]["path"] == str(first / "checkpoints" / "best.ckpt")
    # the checksum that docre itself takes of a parent
    assert known["parent"]["xxh3_128"] == run.state.stages["second"].inputs["init_from first"]
    rows = rows_of(run.chain, run.state)
    assert [row["epochs"] for row in rows] == [1, 2]
    for row, folder in zip(rows, (first, second), strict=True):
        dev = json.loads((folder / "scores" / "dev.json").read_text())["scores"]
        assert (row["dev_f1"], row["dev_ign_f1"]) == (dev["f1"], dev["ign_f1"])
        best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
        assert row["best_epoch"] == best["epoch"] + 1
        logged = logged_scores(folder)
        assert row["dev_f1"] == pytest.approx(logged[best["epoch"]], abs=1e-6)
    test = json.loads((second / "scores" / "test.json").read_text())["scores"]
    assert (rows[1]["test_f1"], rows[1]["test_ign_f1"]) == (test["f1"], test["ign_f1"])
    assert rows[0]["test_f1"] is None


def logged_scores(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.value for event in events.Scalars("val/f1")]


KILLED = """
stages:
  first: {fit: tiny.yaml, options: {trainer.max_epochs: 1}, validate: false}
  second: {fit: tiny.yaml, init_from: first, options: {trainer.max_epochs: 6}, validate: false}
"""


def start():
    options = [f"{key}={value}" for key, value in QUIET.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "docre", "chain", "killed.yaml", "--set", *options],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_chain_that_is_killed_goes_on():
    Path("killed.yaml").write_text(KILLED)
    first, second = Path("runs/killed/first"), Path("runs/killed/second")
    last = second / "checkpoints" / "last.ckpt"
    # what runs here starts at once
    begun, _ = made(KILLED, in_this_process, QUIET, Path("runs/killed"))
    assert begun.run(["first"]) == 0
    chain = start()
    end = time.monotonic() + 120
    while not last.exists() and chain.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(chain.pid, signal.SIGKILL)
    chain.communicate()
    assert chain.returncode == -signal.SIGKILL
    state = json.loads(Path("runs/killed/chain.json").read_text())["stages"]
    assert (state["first"]["status"], state["second"]["status"]) == ("finished", "running")
    before = stamps(first)
    done = torch.load(last, weights_only=True)
    assert done["epoch"] < 5, "it was not killed in the middle"
    old = set(second.glob("events*"))

    chain = start()
    out, err = chain.communicate(timeout=120)
    assert chain.returncode == 0, err
    assert "[1/2] first: finished before, nothing has changed" in out
    assert stamps(first) == before
    command = next(line for line in out.splitlines() if line.startswith("[2/2] second: docre fit"))
    assert command.endswith(f"--ckpt_path={last}")
    known = torch.load(last, weights_only=True)
    assert (known["epoch"], known["global_step"]) == (5, 6 * STEPS)
    # no epoch twice
    (new,) = set(second.glob("events*")) - old
    events = EventAccumulator(str(new))
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == list(range(done["global_step"], 6 * STEPS))
    parent = json.loads((second / "run.json").read_text())["parent"]
    assert parent["path"] == str(first / "checkpoints" / "best.ckpt")
    rows = json.loads(Path("runs/killed/stages.json").read_text())["stages"]
    assert [(row["status"], row["epochs"]) for row in rows] == [("finished", 1), ("finished", 6)]
