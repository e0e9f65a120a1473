"""``--model.init_from`` with an exported folder: as with the run it was made of."""

import shutil
from contextlib import chdir

import huggingface_hub
import pytest
import torch

from docre.data.cache import file_hash
from docre.errors import DocreError
from docre.hub import read_model
from docre.parent import load_parent


def fresh(contents):
    """The same model with other weights."""
    with torch.no_grad():
        for value in contents.model.parameters():
            value.fill_(0.5)
    return contents.model


def test_weights_and_parent(exported, pair_run):
    with chdir(pair_run.parents[2]):
        of_run, of_folder = (fresh(read_model(exported)) for _ in range(2))
        run, folder = load_parent(pair_run, of_run), load_parent(exported, of_folder)
    theirs = of_run.state_dict()
    for name, value in of_folder.state_dict().items():
        assert torch.equal(value, theirs[name]), name
    assert not all((value == 0.5).all() for value in of_folder.parameters())
    weights = exported / "model.safetensors"
    assert (folder.path, folder.xxh3_128) == (str(weights), file_hash(weights))
    assert (folder.epoch, folder.step) == (run.epoch, run.step)


def test_a_name_on_the_hub(exported, tmp_path, monkeypatch):
    asked = []

    def snapshot(name, **named):
        asked.append(name)
        return str(exported)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    model = fresh(read_model(exported))
    parent = load_parent("org/name", model)
    expected = read_model(exported).model.state_dict()
    for name, value in model.state_dict().items():
        assert not name.startswith(model.inherited) or torch.equal(value, expected[name]), name
    weights = exported / "model.safetensors"
    assert (parent.path, parent.xxh3_128) == (
        "org/name/model.safetensors",
        file_hash(weights),
    )
    (tmp_path / "runs").mkdir()
    with pytest.raises(DocreError, match="init_from: no such run folder or checkpoint: runs/none"):
        load_parent("runs/none", model)
    assert asked == ["org/name"]


def test_what_does_not_fit(exported, tmp_path):
    model = read_model(exported).model
    model.relations = ("another", *model.relations[1:])
    with pytest.raises(DocreError, match=r"init_from.*relations"):
        load_parent(exported, model)
    model = read_model(exported).model
    model.head.extra = torch.nn.Linear(2, 2)
    with pytest.raises(DocreError, match=r"init_from.*only in this run: head\.extra"):
        load_parent(exported, model)
    shutil.copytree(exported, tmp_path / "model")
    path = tmp_path / "model/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DocreError, match=r"init_from.*model\.safetensors is damaged"):
        load_parent(tmp_path / "model", read_model(exported).model)
