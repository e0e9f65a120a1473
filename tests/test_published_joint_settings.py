"""The packaged configurations of joint systems say what stands in the published ones."""

import pytest

from docre.joint import JointThresholds, NegativeCounts
from docre.joint_data import JointExamples
from docre.optim import LearningRates
from tests.test_published_settings import JOINT, argument, class_of, read

HEADS = {"grc": "GlobalRelationHead", "mrc": "MultiInstanceRelationHead"}
DATA = {"docred": "DocREDJoint", "redocred": "ReDocRED", "cdr": "CDR"}


def test_there_are_configurations():
    assert {
        f"{data}_{system}_{kind}"
        for data in DATA
        for system in ("jerex", "similarity_jerex")
        for kind in HEADS
    } == JOINT


@pytest.fixture(params=sorted(JOINT))
def name(request):
    return request.param


def test_training(name):
    config = read(name)
    model, trainer = config["model"], config["trainer"]
    assert config["model_class"] == "docre.joint_model.JointModel"
    assert model["rates"] == {
        part: {"lr": 5e-5, "weight_decay": 0.01, "decay_vectors": False}
        for part in ("encoder", "head")
    }
    assert LearningRates().memory is None  # learns as the heads
    assert argument(model["schedule"], "warmup") == 0.1
    assert trainer["max_epochs"] == 20
    assert trainer.get("gradient_clip_val", 1.0) == 1.0
    published_alone = name.startswith("docred_jerex")
    assert config["data"]["init_args"]["batches"]["batch_size"] == (1 if published_alone else 2)
    assert config["seed_everything"] == (66 if published_alone else 112)
    assert JointThresholds() == JointThresholds(0.85, 0.85, 0.6)
    assert "thresholds" not in model
    assert "select_on" not in config  # the strict score of relations


def test_parts(name):
    model = read(name)["model"]
    relation = model["relation"]
    assert class_of(relation) == HEADS[name[-3:]]
    features = 75 if name.startswith("cdr") else 25
    assert argument(relation, "type_features") == features
    mention = model.get("mention", {"class_path": "docre.joint.MentionHead"})
    coreference = model.get("coreference", {"class_path": "docre.joint.CoreferenceHead"})
    assert argument(mention, "size_features") == features
    assert argument(mention, "size_rows") == (60 if features == 75 else 30)
    assert argument(coreference, "edit_features") == features
    assert argument(coreference, "edit_rows") == 300
    if name.endswith("mrc"):
        assert argument(relation, "distance_features") == features
        assert argument(relation, "token_rows") == (1000 if features == 75 else 700)
        assert argument(relation, "sentence_rows") == 50


def test_memory(name):
    config = read(name)
    callbacks = config["trainer"].get("callbacks", [])
    if "similarity" not in name:
        assert "memory" not in config["model"]
        assert "examples" not in config["model"]
        assert not callbacks
        return
    memory = config["model"]["memory"]
    assert class_of(memory) == "SimilarityMemories"
    assert argument(memory, "slots") == 1
    assert argument(memory, "slot_features") is None
    assert argument(memory, "read_gradient")
    (warmup,) = callbacks
    assert class_of(warmup) == "ReadWarmup"
    assert argument(warmup, "proportion") == (0.5 if name.startswith("cdr") else 0.4)
    negatives = argument(config["model"]["examples"], "negatives")
    assert negatives == {"coreference": 100}


def test_sampling():
    assert NegativeCounts() == NegativeCounts(200, 0.5, 200, 200)
    assert JointExamples().max_span_words == 10


def test_data(name):
    data = read(name)["data"]
    assert class_of(data) == DATA[name.split("_")[0]]
    assert data["init_args"].get("form") == ("pubtator" if name.startswith("cdr") else None)
    scientific = "allenai/scibert_scivocab_cased"
    expected = scientific if name.startswith("cdr") else "bert-base-cased"
    assert data["init_args"]["tokenizer"] == expected
