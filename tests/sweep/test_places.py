"""What each of several commands gets of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from docre.chain.commands import ChainStep
from docre.chain.state import locked
from docre.sweep.places import LocalPlaces, available_cores, available_gpus, telling_line


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("0,1,2", ["0", "1", "2"]),
        ("3", ["3"]),
        ("2, 0", ["2", "0"]),
        ("GPU-a1,MIG-b2", ["GPU-a1", "MIG-b2"]),
        ("", []),
        ("-1", []),
        ("1,-1,2", ["1"]),
    ],
)
def test_the_gpus_that_are_given(given, found):
    assert available_gpus({"CUDA_VISIBLE_DEVICES": given}) == found


def test_the_gpus_that_are_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert available_gpus({}) == ["0", "1", "2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert available_gpus({}) == []


@pytest.mark.parametrize(
    ("number", "cores", "threads"), [(2, 16, 8), (3, 16, 5), (4, 2, 1), (2, 2, 1)]
)
def test_cores_are_shared(number, cores, threads):
    places = LocalPlaces(number, cores, gpus=[])
    assert places.environment(0) == {"OMP_NUM_THREADS": str(threads)}


def test_each_has_a_gpu():
    places = LocalPlaces(3, 12, gpus=["4", "7"])
    assert [places.environment(k)["CUDA_VISIBLE_DEVICES"] for k in range(3)] == ["4", "7", "4"]


def test_one_alone_has_all(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", pytest.fail)  # nobody has to know
    assert LocalPlaces(1).environment(0) == {}


def test_what_somebody_has_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert LocalPlaces(2, 16, gpus=[]).environment(0) == {}


def test_cores_are_those_this_process_may_use():
    code = "from docre.sweep.places import available_cores; print(available_cores())"
    one = min(os.sched_getaffinity(0))
    shown = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{one}]); {code}"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert shown.stdout.strip() == "1"
    assert available_cores() == len(os.sched_getaffinity(0))


def test_what_is_printed_lies_in_the_folder(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "says $*"; echo "errs $OMP_NUM_THREADS" >&2\nexit 4\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    places = LocalPlaces(2, 6, gpus=[])
    step = ChainStep("test", ("test", "--run", "a b"), tmp_path)
    with locked(tmp_path) as lock:
        for _ in range(2):
            assert places(step, 1, tmp_path, lock).wait() == 4
    lines = ["$ docre test --run 'a b'", "says -m docre test --run a b", "errs 3"]
    assert (tmp_path / "output.txt").read_text().splitlines() == lines * 2
    assert telling_line(tmp_path) == "errs 3"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"first\n  last \xff\n\n \n", "last \ufffd"),
        (
            b"error: no such option\nmodel_class is docre.model.DocREModel\n",
            "error: no such option",
        ),
        (b"$ docre fit\ndocre: error: one\n  docre: error: two\nmore\n", "docre: error: two"),
        (b"error: a warning\nTraceback:\nRuntimeError: no memory\n", "RuntimeError: no memory"),
        # that was an earlier attempt
        (b"$ docre fit\ndocre: error: one\n$ docre fit\nKilled\n", "Killed"),
        (b"docre: error: one\n$ docre fit -c a\n", ""),
    ],
)
def test_the_line_that_says_why(text, told, tmp_path):
    assert telling_line(tmp_path) == ""
    (tmp_path / "output.txt").write_bytes(text)
    assert telling_line(tmp_path) == told
