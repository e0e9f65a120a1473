"""Weights are read, and nothing in their file is run."""

from __future__ import annotations

import os
import pickle
import sys
from collections import OrderedDict
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from docre.errors import DocreError
from docre.published.reading import read_weights, without_wrapper

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "a.count": torch.tensor(7)}


class Harm:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def same(found):
    assert set(found) == set(WEIGHTS)
    assert all(torch.equal(found[name], value) for name, value in WEIGHTS.items())


@pytest.mark.parametrize("key", [None, "state_dict", "checkpoint", "model_state_dict"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles(tmp_path, key, zipped):
    body = OrderedDict(WEIGHTS) if key is None else {"epoch": 1, key: WEIGHTS, "score": 0.5}
    torch.save(body, tmp_path / "some.pt", _use_new_zipfile_serialization=zipped)
    same(read_weights(tmp_path / "some.pt"))


def test_safetensors(tmp_path):
    save_file(WEIGHTS, tmp_path / "some.safetensors")
    same(read_weights(tmp_path / "some.safetensors"))


def test_safetensors_without_any(tmp_path):
    save_file({}, tmp_path / "some.safetensors")
    with pytest.raises(DocreError, match="it is empty"):
        read_weights(tmp_path / "some.safetensors")


def test_everything_is_float32(tmp_path):
    torch.save({"a": torch.ones(2).half(), "b": torch.tensor(3)}, tmp_path / "some.pt")
    found = read_weights(tmp_path / "some.pt")
    assert (found["a"].dtype, found["b"].dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("stand_ins", [(), ("jerex.", "pytorch_lightning.")])
def test_code_is_refused_and_not_run(tmp_path, zipped, stand_ins):
    done = tmp_path / "done"
    body = {"state_dict": WEIGHTS, "more": Harm(done)}
    torch.save(body, tmp_path / "some.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(DocreError, match="it was not read") as refused:
        read_weights(tmp_path / "some.pt", stand_ins)
    assert not done.exists()
    assert not zipped or f"{os.mkdir.__module__}.mkdir" in str(refused.value)
    torch.load(tmp_path / "some.pt", weights_only=False)
    assert done.exists()  # it was a trap


def test_code_behind_a_stand_in_is_not_run(tmp_path, monkeypatch):
    """A name that may be stood in for is not looked up, even if a module of that name is here."""
    module, done = ModuleType("jerex"), []
    monkeypatch.setitem(sys.modules, "jerex", module)
    module.spring = lambda: done.append(1)
    module.spring.__module__, module.spring.__qualname__ = "jerex", "spring"

    class Trap:
        def __reduce__(self):
            return module.spring, ()

    torch.save({"state_dict": WEIGHTS, "more": Trap()}, tmp_path / "some.pt")
    same(read_weights(tmp_path / "some.pt", ("jerex.",)))
    assert not done
    torch.load(tmp_path / "some.pt", weights_only=False)
    assert done  # it was a trap


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"epoch": 1, "scores": [1, 2]}, "it holds epoch, scores"),
        (torch.ones(2), "has no weights by name; it holds a Tensor"),
        ({}, "has no weights by name; it is empty"),
        (OrderedDict(), "it is empty"),
    ],
)
def test_other_things(tmp_path, body, message):
    torch.save(body, tmp_path / "some.pt")
    with pytest.raises(DocreError, match=message):
        read_weights(tmp_path / "some.pt")


def test_no_weights_at_all(tmp_path):
    with pytest.raises(DocreError, match="does not exist"):
        read_weights(tmp_path / "none.pt")
    with pytest.raises(DocreError, match="is a folder"):
        read_weights(tmp_path)
    for name, body in (
        ("text.pt", b"not a pickle"),
        ("empty.bin", b""),
        ("cut.safetensors", b"\x08"),
        ("plain.pt", pickle.dumps({"a": 1}, protocol=2)),
    ):
        (tmp_path / name).write_bytes(body)
        with pytest.raises(DocreError, match=name):
            read_weights(tmp_path / name)


def test_a_damaged_file(tmp_path):
    torch.save(WEIGHTS, tmp_path / "some.pt")
    whole = (tmp_path / "some.pt").read_bytes()
    (tmp_path / "some.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DocreError, match="damaged"):
        read_weights(tmp_path / "some.pt")


def test_wrappers():
    given = {"module.model.a": torch.ones(1), "module.model.b": torch.ones(1)}
    assert set(without_wrapper(given, ("module.", "model."))) == {"a", "b"}
    assert set(without_wrapper(given, ("module.",))) == {"model.a", "model.b"}
    assert without_wrapper({**given, "c": torch.ones(1)}, ("module.",)).keys() == {*given, "c"}
    assert without_wrapper({}, ("module.",)) == {}
