"""Folders that are damaged, newer, or not what they say: a clear error, and nothing is run."""

import json
import os
import pickle
import shutil
import subprocess
from functools import partial

import pytest
import torch

from docre.errors import DocreError
from docre.hub import read_model
from tests.hub.runs import change, sign


@pytest.fixture
def folder(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def tripwire(monkeypatch):
    """Nothing is run and nothing unpickled, whatever is wrong."""
    touched = []
    monkeypatch.setattr(os, "system", lambda *given: touched.append(given))
    monkeypatch.setattr(subprocess, "Popen", lambda *given, **named: touched.append(given))
    for module, name in ((pickle, "load"), (pickle, "loads"), (torch, "load")):
        monkeypatch.setattr(module, name, lambda *given, **named: touched.append(given))
    yield
    assert touched == []


def refused(folder, *said, allow=()):
    with pytest.raises(DocreError) as caught:
        read_model(folder, allow=allow)
    for text in said:
        assert text in str(caught.value)


def test_the_folder_itself_is_fine(folder):
    assert read_model(folder).relations


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "manifest.json",
        "facts.json",
    ],
)
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    refused(folder, name, "is missing")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer/tokenizer.json"])
@pytest.mark.parametrize("place", [0.3, 0.5, 0.99])
def test_a_flipped_bit(folder, name, place):
    path = folder / name
    body = bytearray(path.read_bytes())
    body[int(place * len(body))] ^= 1
    path.write_bytes(body)
    refused(folder, name, "is damaged")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights(folder, share):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(folder, "model.safetensors", "is damaged", "bytes")
    sign(folder, "model.safetensors")
    refused(folder, "model.safetensors is no safetensors file")


def test_weights_that_are_a_pickle(folder):
    # what calls os.system when it is unpickled
    (folder / "model.safetensors").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    sign(folder, "model.safetensors")
    refused(folder, "model.safetensors is no safetensors file")


@pytest.mark.parametrize(
    "name", ["evil.pkl", "modeling.py", "pytorch_model.bin", "sub/x.CKPT", "tokenizer/vocab.pt"]
)
def test_files_that_could_hold_code(folder, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    refused(folder, name, "does not belong here")
    sign(folder, name)  # it helps nothing to name it
    refused(folder, name, "could hold code")


def test_a_file_that_would_be_read_beside_the_others(folder):
    (folder / "tokenizer/added_tokens.json").write_text("{}")
    refused(folder, "tokenizer/added_tokens.json", "does not name it")
    (folder / "tokenizer/added_tokens.json").unlink()
    (folder / "calibration.json").write_text('{"method": "temperature", "temperature": 1}')
    refused(folder, "calibration.json", "does not name it")


def test_files_of_ones_own_do_no_harm(folder):
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    (folder / "predictions.jsonl").write_text("")
    for name in ("LICENSE", "NOTICE", ".gitignore", "tokenizer/README.md", "images/one.PNG"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("for people")
    assert read_model(folder).relations


def test_the_card_is_there_to_be_edited(folder):
    named = json.loads((folder / "manifest.json").read_text())["files"]
    assert "README.md" not in named
    sign(folder, "README.md")  # as an older docre did
    (folder / "README.md").write_text("my own words")
    assert read_model(folder).relations
    (folder / "README.md").unlink()
    assert read_model(folder).relations


@pytest.mark.parametrize("version", [True, 0, -1, 1.0, "1", None])
@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_versions_that_are_none(folder, name, version):
    change(folder, name, partial(assign, place="format_version", value=version))
    refused(folder, name, "no format_version")


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "a/../../b", "", "C:x", "..\\b"])
def test_places_outside_of_the_folder(folder, name):
    (folder.parent / "secret.json").write_text("{}")
    path = folder / "manifest.json"
    body = json.loads(path.read_text())
    body["files"][name] = {"size": 2, "sha256": "0" * 64}
    path.write_text(json.dumps(body))
    refused(folder, "manifest.json names", "not within the folder")


@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_a_newer_version(folder, name):
    def newer(body):
        body["format_version"] = 99
        body["arguments"] = "in another form"

    change(folder, name, newer)
    refused(folder, name, "format_version 99", "pip install -U docre")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", "{", "is damaged"),
        ("config.json", "[1]", "holds no object"),
        ("manifest.json", "[" * 100_000, "is damaged"),
        ("manifest.json", "{}", "format_version"),
        ("manifest.json", '{"format_version": 1, "files": {}}', "does not name config.json"),
        ("manifest.json", '{"format_version": 1, "files": {"config.json": 3}}', "size and sha256"),
        ("facts.json", "\x00", "is damaged"),
        ("tokenizer/tokenizer.json", "{}", "cannot be read"),
        ("tokenizer/tokenizer_config.json", '{"auto_map": {}}', "auto_map"),
    ],
)
def test_other_contents(folder, name, text, said):
    (folder / name).write_text(text)
    sign(folder, name)
    refused(folder, str(folder), said)


def assign(body, place, value):
    *outer, last = place.split("/")
    for name in outer:
        body = body[name]
    body[last] = value


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("model_class", "os.system", "os.system is not of docre"),
        ("model_class", "docre.hub.saving.os.system", "cannot be imported"),
        ("arguments/head/class_path", "os.system", "os.system is not of docre"),
        ("arguments/head/class_path", "subprocess.Popen", "subprocess.Popen is not of docre"),
        ("arguments/head/init_args/memory/class_path", "os.system", "not of docre"),
        ("arguments/head", "os.system", "os.system is not of docre"),
        ("arguments/decoder", "subprocess.Popen", "subprocess.Popen is not of docre"),
        ("arguments/head/init_args/context", "../evil.yaml", "is refused"),
        ("arguments/head/init_args/width", 24, "do not fit the model"),
        ("arguments/head/init_args/width", "wide", "they make no"),
        ("arguments/encoder/init_args/weights", "gpt2", "architecture is in encoder_config"),
        ("encoder_config/auto_map", {"AutoModel": "evil.Model"}, "is refused"),
        ("encoder_config/hidden_size", 32, "do not fit the model"),
        ("encoder_config/model_type", "nothing", "encoder.config"),
        ("encoder_config", None, "encoder"),
        ("relations", [["only one", ""]], "do not fit the model"),
        ("relations", [], "at least one relation"),
        ("features", {"markers": "no such"}, "markers"),
        ("types", 7, "types"),
    ],
)
def test_configurations(folder, place, value, said):
    change(folder, "config.json", partial(assign, place=place, value=value))
    refused(folder, "config.json" if "fit" not in said else "model.safetensors", said)


def test_a_folder_of_another_library(folder):
    change(folder, "config.json", partial(assign, place="library_name", value="transformers"))
    refused(folder, str(folder), "config.json with library_name docre")


def test_a_missing_key(folder):
    change(folder, "config.json", lambda body: body.pop("relations"))
    refused(folder, "config.json", "relations")


def test_a_calibration_that_is_none(folder):
    (folder / "calibration.json").write_text('{"method": "temperature", "temperature": -1}')
    sign(folder, "calibration.json")
    refused(folder, "calibration.json", "must be above 0")
