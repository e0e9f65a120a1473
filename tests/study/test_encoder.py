"""The encoder that systems begin with, and nothing else of the run it comes from."""

import shutil
from contextlib import chdir

import pytest
import torch

from docre import load
from docre.encoder import Encoder
from docre.pretrained import load_tokenizer
from study.encoder import keep_encoder
from tests.hub.runs import trained


def test_without_a_run(tmp_path):
    with pytest.raises(SystemExit, match=r"no encoder in .*; train it first: make results TABLE="):
        keep_encoder(tmp_path / "run", tmp_path / "encoder")


def test_the_weights_are_those_of_the_run(tmp_path):
    run = trained("pair")
    copied = shutil.copytree(run, tmp_path / "run")
    (copied / "scores").mkdir(exist_ok=True)
    (copied / "scores/test.json").write_text("{}")
    target = tmp_path / "encoder"
    with chdir(run.parents[2]):
        keep_encoder(copied, target)
        contents = load(copied).contents
    theirs = contents.model.encoder.model.state_dict()
    ours = Encoder(str(target), offline=True).model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    text = "Ada Lovelace was born in London ."
    tokenizer = load_tokenizer(str(target), offline=True)
    assert tokenizer(text)["input_ids"] == contents.tokenizer(text)["input_ids"]
    before = (target / "model.safetensors").stat().st_mtime_ns
    keep_encoder(copied, target)
    assert (target / "model.safetensors").stat().st_mtime_ns == before
    with (copied / "checkpoints/best.ckpt").open("ab") as file:
        file.write(b"trained again")
    with pytest.raises(SystemExit, match=r"was made of another training than .* has now"):
        keep_encoder(copied, target)
    shutil.rmtree(copied / "checkpoints")
    keep_encoder(copied, target)  # nothing is left to make it of
