"""Two processes that are killed and go on end as two that never were."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from tests.interruptions import checkpoint, same_training
from tests.test_ddp import SIZES, TWO, docre
from tests.test_training import ROOT, TINY

pytestmark = pytest.mark.reliability


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume_ddp")
    config = TINY
    for before, after in SIZES.items():
        config = config.replace(before, after)
    (folder / "tiny.yaml").write_text(config.replace("max_epochs: 2", "max_epochs: 6"))
    docre(folder, *fit("whole"))
    return folder


def fit(version):
    return (
        *("fit", "--config", "tiny.yaml", "--checkpoint.keep_last_every=2", *TWO),
        f"--trainer.logger.init_args.version={version}",
    )


def started(folder, version, *more):
    return begun(folder, *fit(version), *more)


def children(process):
    return psutil.Process(process).children()


def nobody_is_left(group, seconds=10):
    """Wait until no process of a group is alive."""
    ends = time.monotonic() + seconds
    while left := [one for one in psutil.process_iter(["status"]) if is_alive(one, group)]:
        assert time.monotonic() < ends, left
        time.sleep(0.1)


def is_alive(process, group):
    with suppress(ProcessLookupError):
        return os.getpgid(process.pid) == group and process.info["status"] != "zombie"
    return False


def begun(folder, *words):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "docre", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_two_processes_go_on(folder, figures, number):
    version = signal.Signals(number).name
    run = folder / "runs" / "tiny" / version
    process = started(folder, version)
    try:
        while not (run / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        # a cluster tells the first process, and then kills all
        process.send_signal(number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            pytest.fail("still at work a minute after the signal")
    finally:
        if process.poll() is None or number == signal.SIGKILL:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert checkpoint(run)["global_step"] < checkpoint(folder / "runs/tiny/whole")["global_step"]
    docre(folder, "fit", "--resume", run)
    same_training(folder / "runs/tiny/whole", run)
    figures.add("kills survived", 1, of=1)


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_fails_alone_ends_all(folder, rank):
    callback = '{"class_path": "tests.reliability.failing.FailsAlone", "init_args": {"rank": RANK}}'
    callbacks = f"--trainer.callbacks=[{callback}]".replace("RANK", str(rank))
    process = started(folder, f"alone_{rank}", callbacks)
    try:
        _, told = process.communicate(timeout=90)
        assert process.returncode not in (0, None)
        assert "this process is broken" in told
        nobody_is_left(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_command_that_only_scores_ends_at_once(folder):
    run = folder / "runs/tiny/whole"
    words = ["validate", "--run", str(run), *TWO, "--trainer.limit_val_batches=1.0"]
    process = begun(folder, *words)
    try:
        while len(children(process.pid)) == 0:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        nobody_is_left(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
