"""Settings under short names."""

from __future__ import annotations

import msgspec
import pytest

from docre.configs import config_folder, config_names
from docre.dashboard import flat_names

CONFIGS = config_names("")


def config(name):
    return msgspec.yaml.decode((config_folder() / name).read_bytes())


def test_the_headline_configuration():
    flat = flat_names(config("redocred_ttm.yaml"))
    assert flat == {
        "seed": 74,
        "head": "PairHead",
        "head.shared_extractor": True,
        "head.memory": "TokenTuringReader",
        "head.memory.slots": 200,
        "head.memory.layers": 4,
        "loss": "PositiveUnlabelledLoss",
        "loss.risk": "s-pu",
        "loss.margin": 1.0,
        "loss.scale": 1.0,
        "loss.prior_multiple": 1.0,
        "loss.prior_floor": 1.0e-9,
        "rates.encoder.lr": 3.0e-5,
        "rates.encoder.weight_decay": 0.01,
        "rates.memory.lr": 3.0e-5,
        "rates.memory.weight_decay": 0.01,
        "rates.head.lr": 1.0e-5,
        "rates.head.weight_decay": 0.01,
        "data": "ReDocRED",
        "data.tokenizer": "roberta-large",
        "data.batches.batch_size": 4,
        "trainer.devices": 1,
        "trainer.precision": "bf16-mixed",
        "trainer.max_epochs": 30,
    }


def test_parts_in_lists():
    flat = flat_names(config("redocred_kd_docre_student.yaml"))
    assert flat["extra_losses"] == "LogitDistillation"
    assert flat["extra_losses.LogitDistillation.weight"] == 1.0
    assert flat["head.classifier.refinements"] == "AxialTransformer"
    assert flat["head.classifier.refinements.AxialTransformer.layers"] == 6
    flat = flat_names(config("docred_similarity_jerex_mrc.yaml"))
    assert flat["model"] == "JointModel"
    assert flat["trainer.callbacks"] == "ReadWarmup"
    assert flat["trainer.callbacks.ReadWarmup.proportion"] == 0.4


def test_two_of_a_class_are_told_apart():
    reads = [{"class_path": "docre.memory.NormalRead", "init_args": {"n": k}} for k in (1, 2)]
    assert flat_names({"model": {"tokens": [*reads, {"class_path": "a.B"}]}}) == {
        "tokens": "NormalRead, NormalRead, B",
        "tokens.NormalRead.n": 1,
        "tokens.NormalRead_2.n": 2,
    }


def test_what_is_null():
    flat = flat_names({"model": {"memory": None}, "data": {"limit": None}, "select_on": None})
    assert flat == {"memory": "none"}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_packaged_configuration(name):
    """No value of the model is lost, and no name tells how the file is nested."""
    tree = config(name)
    flat = flat_names(tree)
    assert all(isinstance(value, (str, int, float, bool)) for value in flat.values())
    assert not any("class_path" in key or "init_args" in key for key in flat)

    def leaves(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "class_path":
                    yield inner.rsplit(".")[-1]
                else:
                    yield from leaves(inner)
        elif not isinstance(value, list):
            yield "none" if value is None else value

    model = list(leaves(tree["model"]))
    values = list(flat.values())
    assert all(value in values for value in model)
    assert len([key for key in flat if not key.startswith(("data", "trainer"))]) >= len(model)
