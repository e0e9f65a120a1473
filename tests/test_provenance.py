"""What a score says about the code it came from."""

import json
import subprocess
import sys
from importlib.metadata import version

from docre import __version__
from docre.provenance import git_state, provenance, versions


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_git_state(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path) == {"commit": commit, "changed": False}
    (tmp_path / "untracked").touch()
    assert git_state(tmp_path) == {"commit": commit, "changed": False}
    (tmp_path / "file").write_text("two")
    inner = tmp_path / "inner"
    inner.mkdir()
    assert git_state(inner) == {"commit": commit, "changed": True}


def test_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "missing") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_versions():
    found = versions()
    assert found["docre"] == __version__
    assert found["torch"] == version("torch")
    assert {"lightning", "transformers", "numpy", "python"} <= set(found)


def test_provenance_is_json_and_names_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/some/where/docre", "test", "--run", "x"])
    found = json.loads(json.dumps(provenance()))
    assert found["command"] == ["docre", "test", "--run", "x"]
    assert set(found) == {"time", "command", "git", "versions", "machine"}
    assert found["time"].endswith("+00:00")
