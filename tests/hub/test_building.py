"""Models from plain values: what is left out, and what is never imported."""

import os
import subprocess
import sys

import pytest
import torch

from docre.errors import DocreError
from docre.hub.building import Recipe, build_model, check_recipe, predicting_recipe
from docre.model import DocREModel

CONFIG = {
    "model_type": "bert",
    "vocab_size": 90,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
}
HEAD = {
    "class_path": "docre.heads.PairHead",
    "init_args": {
        "width": 16,
        "classifier": {"class_path": "docre.heads.GroupedBilinear", "init_args": {"block_size": 4}},
    },
}
TRAINED = {
    "_instantiator": "lightning.pytorch.cli.instantiate_module",
    "encoder": {
        "class_path": "docre.encoder.Encoder",
        "init_args": {"weights": "some/encoder", "window": 64, "compile": True},
    },
    "head": HEAD,
    "loss": {"class_path": "docre.losses.PositiveUnlabelledLoss"},
    "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1.0}},
    "init_from": "/home/somebody/runs/x",
    "teacher": {"class_path": "docre.distillation.OnlineTeacher", "init_args": {"run": "/x"}},
    "evidence_share": 0.3,
}
MODEL = "docre.model.DocREModel"


def recipe(config=CONFIG, model_class=MODEL, **arguments):
    return Recipe(model_class, {"head": HEAD, **arguments}, config)


def build(made, allow=()):
    return build_model(made, ("a", "b"), (), "none", allow)


@pytest.fixture
def tripwire(monkeypatch, tmp_path):
    """A package that must not be imported, and functions that must not be called."""
    touched = []
    (tmp_path / "evil_package.py").write_text("import sys\nsys.evil = True\nclass Head: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(os, "system", lambda *given: touched.append(given))
    monkeypatch.setattr(subprocess, "Popen", lambda *given, **named: touched.append(given))
    monkeypatch.delattr(sys, "evil", raising=False)
    yield
    assert touched == []
    assert not hasattr(sys, "evil")
    sys.modules.pop("evil_package", None)


def test_what_predicting_needs():
    made = predicting_recipe(MODEL, "DocREModel", TRAINED, {**CONFIG, "_name_or_path": "/x"})
    assert made.arguments == {
        "encoder": {"class_path": "docre.encoder.Encoder", "init_args": {"window": 64}},
        "head": HEAD,
        "evidence_share": 0.3,
    }
    assert made.encoder_config == CONFIG
    # the network of a joint model has a column for the threshold that its loss learns
    assert "loss" in predicting_recipe(MODEL, "JointModel", TRAINED, CONFIG).arguments
    # what is said of an encoder that does not describe itself is all there is
    assert (
        predicting_recipe(MODEL, "DocREModel", TRAINED, None).arguments["encoder"]
        == (TRAINED["encoder"])
    )


def test_the_model_is_the_one_that_is_described(tripwire):
    made = predicting_recipe(MODEL, "DocREModel", TRAINED, CONFIG)
    model = build(made)
    assert type(model) is DocREModel
    assert not model.training
    assert model.relations == ("a", "b")
    assert model.evidence_share == 0.3
    assert model.encoder.scheme.size == 64
    assert model.encoder.width == 16
    assert model.head.classifier.block_size == 4
    assert all(value.dtype == torch.float32 for value in model.parameters())


NESTED = {
    "class_path": "docre.heads.PairHead",
    "init_args": {"memory": {"class_path": "os.system"}},
}
REFUSED = {
    "head.class_path: os.system": {"head": {"class_path": "os.system"}},
    "head.class_path: subprocess.Popen": {"head": {"class_path": "subprocess.Popen"}},
    "memory.class_path: os.system": {"head": NESTED},
    "head.class_path: evil_package.Head": {"head": {"class_path": "evil_package.Head"}},
    # a module of ours has others inside, and functions
    "docre.provenance.subprocess.Popen cannot be": {
        "head": {"class_path": "docre.provenance.subprocess.Popen"}
    },
    "docre.parent.pickle is no class": {"head": {"class_path": "docre.parent.pickle"}},
    "docre.data.cache.file_hash is no class": {
        "head": {"class_path": "docre.data.cache.file_hash"}
    },
    "torch.optim.AdamW is not of docre": {"head": {"class_path": "torch.optim.AdamW"}},
    "'docre.__main__.main' is no import path": {"head": {"class_path": "docre.__main__.main"}},
    "'PairHead' is no import path": {"head": {"class_path": "PairHead"}},
    "5 is no import path": {"head": {"class_path": 5}},
    # where a callable is expected, texts would be imported, parsed or read as a file
    "arguments.head: os.system is not of docre": {"head": "os.system"},
    "docre.parent.read_checkpoint is no": {"decoder": "docre.parent.read_checkpoint"},
    'text \'{"class_path"': {"head": '{"class_path": "os.system"}'},
    "text 'class_path: os.system'": {"head": "class_path: os.system"},
    "arguments.head: head.yaml is not of docre": {"head": "head.yaml"},
    "text './head'": {"head": "./head"},
    "text 'head.class_path'": {"head.class_path": "x"},
    "extra[0].deep[0]: os.system is not of": {"extra": [{"deep": ["os.system"]}]},
}


@pytest.mark.parametrize("said", REFUSED)
def test_nothing_else_is_imported(said, tripwire):
    with pytest.raises(DocreError) as caught:
        build(recipe(**REFUSED[said]))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("os.system", "not of docre"),
        ("subprocess.Popen", "not of docre"),
        ("docre.encoder.Encoder", "no model of documents"),
        ("docre.model.Nothing", "cannot be imported"),
        ("docre.nothing.Nothing", "cannot be imported"),
    ],
)
def test_model_classes(path, said, tripwire):
    with pytest.raises(DocreError, match=said):
        build(recipe(model_class=path))


@pytest.mark.parametrize(
    "extra",
    [
        {"auto_map": {"AutoModel": "evil--model.Model"}},
        {"_attn_implementation": "org/kernel"},
        {"attn_implementation": "kernel"},
        {"quantization_config": {"quant_method": "x"}},
        {"inner": [{"place": "org/name"}]},
    ],
)
def test_architectures_that_would_fetch_something(extra, tripwire):
    with pytest.raises(DocreError, match=r"encoder_config.*refused"):
        build(recipe({**CONFIG, **extra}))


def test_an_encoder_cannot_be_fetched_beside_its_architecture():
    encoder = {"class_path": "docre.encoder.Encoder", "init_args": {"weights": "gpt2"}}
    with pytest.raises(DocreError, match=r"arguments\.encoder\.weights"):
        build(recipe(encoder=encoder))


def test_allowing_a_package(tmp_path, monkeypatch):
    (tmp_path / "friendly_package.py").write_text(
        "from docre.heads import PairHead\nclass OwnHead(PairHead):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    head = {**HEAD, "class_path": "friendly_package.OwnHead"}
    with pytest.raises(
        DocreError, match=r"--allow friendly_package.* allow=\('friendly_package',\)"
    ):
        check_recipe(recipe(head=head))
    assert "friendly_package" not in sys.modules
    model = build(recipe(head=head), allow=("friendly_package",))
    assert type(model.head).__module__ == "friendly_package"
    # what is allowed does not allow what it imports from elsewhere
    with pytest.raises(DocreError, match=r"os\.system"):
        check_recipe(recipe(head=head, decoder={"class_path": "os.system"}), ("friendly_package",))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "install the package own_package, or put its folder on PYTHONPATH"),
        ("import no_such_thing", "No module named 'no_such_thing'"),
        ("1 / 0", "division by zero"),
        ("", ".* has no attribute 'OwnHead'"),
    ],
)
def test_a_package_that_cannot_be_imported(source, said, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    if source is not None:
        (tmp_path / "own_package.py").write_text(source)
    monkeypatch.delitem(sys.modules, "own_package", raising=False)
    with pytest.raises(DocreError, match=rf"own_package\.OwnHead .*{said}"):
        build(recipe(head={"class_path": "own_package.OwnHead"}), allow=("own_package",))
    sys.modules.pop("own_package", None)


@pytest.mark.parametrize(
    "arguments",
    [
        {"head": {**HEAD, "init_args": {"width": -3}}},
        {"head": {**HEAD, "init_args": {"wdth": 3}}},
        {"head": {"class_path": "docre.decoding.ThresholdDecoder"}},
        {"head": "words"},
        {"nothing": 3},
    ],
)
def test_values_that_make_no_model(arguments):
    with pytest.raises(DocreError, match=r"they make no docre\.model\.DocREModel"):
        build(recipe(**arguments))
