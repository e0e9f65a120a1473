"""Processes, signals and the lock."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException

from docre.chain.process import Terminated, execute
from docre.chain.state import locked
from docre.cli import main
from docre.errors import DocreError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def interruptible():
    """A shell starts what is in the background with SIGINT ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Let a shell script be what runs docre; returns how to write it, and its folder."""
    script = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.chdir(tmp_path)

    def write(*lines):
        script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        script.chmod(0o755)
        return script

    return write


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("line", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -INT $$", 130)],
)
def test_arguments_and_exit_status(stand_in, line, status):
    stand_in('echo "$@" > said', line)
    with locked(Path("folder")) as lock:
        assert execute(["fit", "--config=a b"], lock) == status
    assert Path("said").read_text() == "-m docre fit --config=a b\n"


@pytest.mark.parametrize(
    ("number", "raised", "left"),
    [(signal.SIGINT, KeyboardInterrupt, "ended"), (signal.SIGTERM, Terminated, "terminated")],
)
def test_a_signal_waits_for_the_command(stand_in, number, raised, left):
    # Ctrl-C reaches the command too, so it is left to end; SIGTERM is handed on
    stand_in(
        "trap 'echo terminated > left; exit 1' TERM",
        "touch begun",
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done",
        "echo ended > left",
    )
    handler = signal.getsignal(signal.SIGTERM)

    def send():
        wait_for(Path("begun").exists)
        os.kill(os.getpid(), number)

    timer = Timer(0, send)
    timer.start()
    with locked(Path("folder")) as lock, pytest.raises(raised) as caught:
        execute([], lock)
    timer.join()
    assert type(caught.value) is raised
    assert Path("left").read_text() == f"{left}\n"
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize(("ended", "status"), [(SIGTERMException(), 143), (SystemExit(1), 1)])
def test_a_training_that_was_cut_short_has_not_succeeded(monkeypatch, ended, status):
    """A chain would take it for finished."""

    def run(arguments):
        raise ended

    monkeypatch.setattr("docre.training.run", run)
    with pytest.raises(SystemExit) as caught:
        main(["fit", "--config", "quickstart"])
    assert caught.value.code == status


def test_two_chains_in_one_folder(tmp_path):
    again = pytest.raises(DocreError, match="another docre chain is at work there")
    with locked(tmp_path / "a"), locked(tmp_path / "b"), again, locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "a"):
        pass


def test_a_command_whose_chain_was_killed_keeps_the_lock(stand_in, tmp_path):
    script = stand_in("echo $$ > pid", "touch begun", "while [ ! -e end ]; do sleep 0.05; done")
    code = (
        "import sys; from pathlib import Path\n"
        "from docre.chain.process import execute; from docre.chain.state import locked\n"
        f"sys.executable = {str(script)!r}\n"
        "with locked(Path('folder')) as lock: execute([], lock)"
    )
    real = Path(sys.prefix) / "bin" / "python"
    chain = subprocess.Popen([real, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for(Path("begun").exists)
    chain.kill()
    chain.wait()
    with pytest.raises(DocreError, match="a command that one left behind"), locked(Path("folder")):
        pass
    Path("end").touch()

    def free():
        try:
            with locked(Path("folder")):
                return True
        except DocreError:
            return False

    wait_for(free)
