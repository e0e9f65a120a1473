"""One training at a time in a run folder."""

import os
import signal
import time
from multiprocessing import get_context
from types import SimpleNamespace

import pytest

from docre.callbacks.run_lock import RunLock
from docre.errors import DocreError


def taken(folder, rank=0, stage="fit"):
    lock = RunLock()
    logger = SimpleNamespace(log_dir=str(folder))
    trainer = SimpleNamespace(is_global_zero=rank == 0, loggers=[logger], fast_dev_run=False)
    lock.setup(trainer, None, stage)
    return lock


def hold(folder, line):
    """Train in a folder, as another process does."""
    os.setsid()
    lock = taken(folder)
    if os.fork() == 0:  # as a data loader does
        time.sleep(60)
        os._exit(0)
    line.send("taken")
    line.recv()
    lock.teardown(None, None, "fit")
    line.send("given back")
    line.recv()


@pytest.fixture
def holder(tmp_path):
    """Another process that trains in a folder, and a line to it."""
    context = get_context("fork")
    line, theirs = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path / "run", theirs))
    process.start()
    assert line.recv() == "taken"
    yield process, line
    os.killpg(process.pid, signal.SIGKILL)
    process.join()


def test_a_second_training_is_refused(tmp_path, holder):
    with pytest.raises(DocreError, match="run: another training is at work there"):
        taken(tmp_path / "run")
    taken(tmp_path / "other").teardown(None, None, "fit")
    taken(tmp_path / "run", rank=1)  # the first rank has asked for all
    taken(tmp_path / "run", stage="test")
    holder[1].send("give back")
    assert holder[1].recv() == "given back"
    assert not list((tmp_path / "run").iterdir())
    taken(tmp_path / "run").teardown(None, None, "fit")


def test_a_killed_training_is_in_nobodys_way(tmp_path, holder):
    process, _ = holder
    os.kill(process.pid, signal.SIGKILL)  # and what it has forked lives on
    process.join()
    lock = taken(tmp_path / "run")
    lock.teardown(None, None, "fit")
    assert not list((tmp_path / "run").iterdir())
