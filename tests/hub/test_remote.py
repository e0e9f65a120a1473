"""The hub, without a network: what is asked of it, and what is made of its answers."""

import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import huggingface_hub
import pytest

from docre.errors import DocreError
from docre.hub import push_to_hub, read_model
from docre.hub.remote import is_hub_name


class FakeApi:
    """A hub with one repository."""

    def __init__(self, error=None, files=()):
        self.calls, self.files, self.error = [], dict.fromkeys(files, b""), error

    def create_repo(self, repo_id, *, private, exist_ok):
        self.calls.append((repo_id, private, exist_ok))

    def upload_folder(self, *, repo_id, folder_path, commit_message, delete_patterns):
        if self.error:
            raise self.error
        paths = [path for path in Path(folder_path).rglob("*") if path.is_file()]
        for name in [*self.files]:
            if any(fnmatchcase(name, pattern) for pattern in delete_patterns):
                del self.files[name]
        self.files |= {
            path.relative_to(folder_path).as_posix(): path.read_bytes() for path in paths
        }


@pytest.mark.parametrize("given", ["folder", "contents", "run"])
def test_pushing(exported, pair_run, given, monkeypatch):
    monkeypatch.chdir(pair_run.parents[2])
    api = FakeApi()
    model = {"folder": exported, "contents": read_model(exported), "run": pair_run}[given]
    assert push_to_hub(model, "org/name", private=True, api=api) == "org/name"
    assert api.calls == [("org/name", True, True)]
    weights = (exported / "model.safetensors").read_bytes()
    assert api.files["model.safetensors"] == weights
    assert "manifest.json" in api.files


def test_nothing_of_an_older_version_stays(exported, tmp_path):
    older = ("calibration.json", "tokenizer/vocab.txt", "tokenizer/deep/x.json", "config.json")
    api = FakeApi(files=(*older, "LICENSE", ".gitattributes"))
    push_to_hub(exported, "org/name", api=api)
    ours = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert api.files.keys() == {*ours, "LICENSE", ".gitattributes"}
    for name, body in api.files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    assert read_model(tmp_path).digest == read_model(exported).digest


class ConnectError(Exception):
    """As the HTTP client of the hub has it: neither of Python's kinds nor of the hub's."""


def test_no_network(exported, tmp_path, monkeypatch):
    with pytest.raises(DocreError, match="does not take org/name: no route"):
        push_to_hub(exported, "org/name", api=FakeApi(ConnectError("no route")))

    def snapshot(name, **named):
        raise ConnectError("no route")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(DocreError, match=r"no model org/name on the hub: no route"):
        read_model("org/name")


def test_a_run_that_is_not_there_is_no_name_on_the_hub(exported, tmp_path, monkeypatch):
    asked = []

    def snapshot(name, **named):
        asked.append(name)
        return str(exported)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    (tmp_path / "runs").mkdir()
    for source in ("runs/none", Path("runs/none")):
        with pytest.raises(DocreError, match="no such model: runs/none"):
            read_model(source)
    assert asked == []
    assert read_model("runs/none", revision="main").relations  # it is one after all
    assert asked == ["runs/none"]


def test_what_is_not_pushed(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "model")
    (tmp_path / "model/config.json").write_text('{"library_name": "docre"}')
    api = FakeApi()
    with pytest.raises(DocreError, match="is damaged"):
        push_to_hub(tmp_path / "model", "org/name", api=api)
    with pytest.raises(DocreError, match="org/name"):
        push_to_hub(exported, "name", api=api)
    assert api.calls == []
    with pytest.raises(DocreError, match="does not take org/name: no right"):
        push_to_hub(exported, "org/name", api=FakeApi(OSError("no right")))


def test_fetching(exported, tmp_path, monkeypatch):
    asked = {}

    def snapshot(name, **named):
        asked.update(named, name=name)
        return str(exported)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.chdir(tmp_path)
    loaded = read_model("org/name", revision="v1", offline=True)
    assert loaded.source == "org/name"
    assert loaded.digest == read_model(exported).digest
    assert asked["name"] == "org/name"
    assert asked["revision"] == "v1"
    assert asked["local_files_only"] is True
    # nothing that could hold code is even asked for
    assert set(asked["allow_patterns"]) == {
        *("config.json", "model.safetensors", "tokenizer/*", "calibration.json", "facts.json"),
        *("README.md", "manifest.json"),
    }


def test_what_is_not_there(tmp_path, monkeypatch):
    def snapshot(name, **named):
        raise huggingface_hub.errors.LocalEntryNotFoundError("not in the cache")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(DocreError, match=r"no model org/name on this machine .*not in the cache"):
        read_model("org/name", offline=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text("{}")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **b: tmp_path / "other")
    with pytest.raises(DocreError, match="no model of docre"):
        read_model("org/name")


@pytest.mark.parametrize("name", ["a", "a/b/c", "../b", "/a/b", "a b/c", "./a", "a/b.ckpt/"])
def test_names(name):
    assert not is_hub_name(name)
    assert is_hub_name("org-1/some.model_x")
