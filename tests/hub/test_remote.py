"""The hub, without a network: what is asked of it, and what is made of its answers."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest

from docre.errors import DocreError
from docre.hub import push_to_hub, read_model
from docre.hub.remote import is_hub_name


class FakeApi:
    def __init__(self, error=None):
        self.calls, self.files, self.error = [], {}, error

    def create_repo(self, repo_id, *, private, exist_ok):
        self.calls.append((repo_id, private, exist_ok))

    def upload_folder(self, *, repo_id, folder_path, commit_message):
        if self.error:
            raise self.error
        paths = [path for path in Path(folder_path).rglob("*") if path.is_file()]
        self.files = {path.relative_to(folder_path).as_posix(): path.read_bytes() for path in paths}


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
