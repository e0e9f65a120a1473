"""A folder takes its place whole, and what was there is never lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docre.hub.whole_folder import clear_leftovers, whole_folder


def make(folder, text):
    folder.mkdir()
    (folder / "a.txt").write_text(text)


@pytest.fixture(scope="module")
def gone():
    """The number of a process that is no more."""
    done = subprocess.Popen([sys.executable, "-S", "-c", ""])
    done.wait()
    return done.pid


def test_one_takes_the_place_of_another(tmp_path):
    target = tmp_path / "in" / "model"
    for text in ("older", "newer"):
        with whole_folder(target) as part:
            (part / "a.txt").write_text(text)
        assert (target / "a.txt").read_text() == text
        assert os.listdir(tmp_path / "in") == ["model"]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_what_was_there_stays(tmp_path, monkeypatch, step):
    """Whatever fails: writing, moving the older folder away, moving the newer one there."""
    target, renames, replace = tmp_path / "model", [], Path.replace
    make(target, "older")

    def failing(path, to):
        renames.append(to)
        if len(renames) == step:
            raise OSError("no more renames")
        return replace(path, to)

    def write():
        with whole_folder(target) as part:
            (part / "a.txt").write_text("newer")
            if step == 0:
                raise OSError("no more space")

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="no more"):
        write()
    assert (target / "a.txt").read_text() == "older"
    assert os.listdir(tmp_path) == ["model"]
    assert len(renames) == {0: 0, 1: 1, 2: 3}[step]


def test_what_killed_processes_left(tmp_path, gone):
    here = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    kept = {f".model.{here.pid}.part", f".other.{gone}.part", f".model.{gone}.old.txt", ".model"}
    for name in (*kept, f".model.{gone}.part", f".model.{gone}.old", f".model.{os.getpid()}.part"):
        make(tmp_path / name, name)
    make(tmp_path / "model", "newer")
    clear_leftovers(tmp_path / "model")
    here.communicate(b"\n")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "model"}
    assert (tmp_path / "model" / "a.txt").read_text() == "newer"


def test_an_older_folder_that_was_moved_is_put_back(tmp_path, gone):
    """Killed between the two renames."""
    make(tmp_path / f".model.{gone}.old", "older")
    make(tmp_path / f".model.{gone}.part", "newer")
    clear_leftovers(tmp_path / "model")
    assert os.listdir(tmp_path) == ["model"]
    assert (tmp_path / "model" / "a.txt").read_text() == "older"


def test_no_folder_at_all(tmp_path):
    clear_leftovers(tmp_path / "none" / "model")
    assert list(tmp_path.iterdir()) == []
