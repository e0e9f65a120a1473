"""Each system from a file of its authors to a folder of ours: it computes the golden numbers."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest
import torch

from docre.heads.pair_head import extract
from docre.hub import read_model
from docre.outputs import PairContext
from docre.published.command import convert
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden import (
    joint_documents,
    test_atlop,
    test_docunet,
    test_dreeam_head,
    test_kd_docre,
)
from tests.published.files import (
    bert_weights,
    config_of,
    encoder_folder,
    golden_weights,
    relations_file,
)

LOOSE = {"atol": 2e-5, "rtol": 1e-4}
pytestmark = pytest.mark.filterwarnings("ignore:axis. with 'chunks'")


def converted(folder, system, weights, config, number, **options):
    """Save weights, convert them by the command and read what it wrote."""
    file = folder / "weights.pt"
    if not file.exists():
        torch.save(weights, file)
    given = {"encoder": encoder_folder(folder / "encoder", config), **options}
    if "relations" not in given:
        given["relations"] = relations_file(folder / "rel2id.json", number)
    convert(system, file, folder / "model", **given)
    found = read_model(folder / "model")
    assert len(found.relations) == number
    assert not found.model.training
    return found


def atlop_config():
    given = golden("atlop/batches.json")
    sizes = json.loads(given.read_text())["config"]
    return {"model_type": "bert", **{name: sizes[name] for name in test_atlop.CONFIG}}


def check(found, expected):
    torch.testing.assert_close(found, expected, **LOOSE)


def test_atlop_whole(tmp_path):
    weights = golden_weights("atlop/weights")
    found = converted(tmp_path, "atlop", weights, atlop_config(), len(weights["bilinear.bias"]) - 1)
    for name in "ABC":
        with torch.no_grad():
            logits = found.model(test_atlop.batch_of(name)).logits
        check(logits, test_atlop.outputs()[f"{name}.logits"])
        ours = found.model.decoder.mask(logits).float()
        theirs = test_atlop.outputs()[f"{name}.pred_top4"]
        assert torch.equal(ours, theirs[:, 1:])
    assert (found.features.markers, found.features.source) == ("entity", "words")
    assert (found.features.max_tokens, found.features.truncation) == (1024, "cut")


@pytest.mark.parametrize("ranked", [True, False])
def test_ssr_pu_whole(tmp_path, ranked):
    """The same weights, whose first column is a threshold only if one relation less is named."""
    weights = {f"module.{k}": v for k, v in golden_weights("atlop/weights").items()}
    relations = len(weights["module.bilinear.bias"]) - ranked
    found = converted(tmp_path, "ssr_pu", weights, atlop_config(), relations)
    with torch.no_grad():
        logits = found.model(test_atlop.batch_of("A")).logits
    expected = test_atlop.outputs()["A.logits"]
    check(logits if ranked else logits[:, 1:], expected)
    assert ranked or not logits[:, 0].any()
    threshold = expected[:, :1] if ranked else 0
    assert torch.equal(
        found.model.decoder.mask(logits), (expected > threshold)[:, 1 if ranked else 0 :]
    )


def test_dreeam_encoder_and_head(tmp_path):
    head, encoder = golden_weights("dreeam/head_weights"), golden_weights("dreeam/encoder_weights")
    sizes = json.loads(golden("dreeam/docs.json").read_text())["encoder"]
    config = {"model_type": "bert", "pad_token_id": 0, **sizes}
    weights = {**head, **{f"model.{name}": value for name, value in encoder.items()}}
    relations = len(head["bilinear.bias"]) - 1
    found = converted(tmp_path, "dreeam", weights, config, relations)
    assert found.model.encoder.layers == 3
    assert found.model.evidence_share == test_dreeam_head.config()["evi_thresh"]
    _, encoded, _, _, _ = test_dreeam_head.run()
    with torch.no_grad():
        output = found.model.head(encoded, test_dreeam_head.batch_of())
    test_dreeam_head.close(output.logits, "logits")
    test_dreeam_head.close(output.context.attention.per_pair(), "doc_attn")
    assert found.model.decoder.top_k == test_dreeam_head.config()["topk"]
    expected = test_dreeam_head.load("outputs")
    documents = json.loads(golden("dreeam/docs.json").read_text())["long_docs"]["long_batch"]
    with torch.no_grad():
        batch = make_batch(documents, [[] for _ in documents])
        states = found.model.encoder(batch).token_states
    place = expected["long.long_batch.index"]
    known = batch.token_mask[:, place]  # behind the end of a document there is nothing to compare
    assert (~known).any()
    check(states[:, place][known], expected["long.long_batch.seq"][known])


def test_ttm_re_head(tmp_path):
    head = golden_weights("ttm/head_weights")
    config = config_of(len(head["head_extractor.bias"]), heads=2)
    weights = {**bert_weights(config, "model."), **head}
    relations = len(head["bilinear.bias"]) - 1
    found = converted(tmp_path, "ttm_re", weights, config, relations).model.head
    inputs, expected = golden_weights("ttm/inputs"), golden_weights("ttm/outputs")
    every = torch.arange(len(inputs["head.hs"]))
    context = PairContext(inputs["head.rs"])
    with torch.no_grad():
        ends = [
            extract(found.head_extractor, inputs[f"head.{end}"], every, context)
            for end in ("hs", "ts")
        ]
        logits = found.classifier(*found.memory(*ends, torch.zeros_like(every)))
    check(logits, expected["head.released.logits"])


def test_ttm_re_as_in_the_paper(tmp_path):
    """The same weights with attention within a pair, as docre trains it."""
    head = golden_weights("ttm/head_weights")
    config = config_of(len(head["head_extractor.bias"]), heads=2)
    weights = {**bert_weights(config, "model."), **head}
    relations = len(head["bilinear.bias"]) - 1
    found = converted(tmp_path, "ttm_re", weights, config, relations, exact=False)
    assert found.model.head.memory.axis == "slots"
    assert found.features.max_tokens is None
    assert found.model.encoder.scheme.uncovered == "cover"


def test_kd_docre_head(tmp_path):
    head, sizes = golden_weights("kd_docre/head_weights"), test_kd_docre.about()["config"]
    config = config_of(sizes["hidden"], heads=sizes["heads"])
    weights = {**bert_weights(config, "model."), **head}
    found = converted(tmp_path, "kd_docre", weights, config, sizes["num_labels"] - 1)
    with torch.no_grad():
        output = found.model.head(test_kd_docre.encoded(), test_kd_docre.batch())
    test_kd_docre.close(output.logits, "head.logits")
    assert found.model.decoder.top_k == sizes["topk"]


def test_docunet_head(tmp_path):
    head, sizes = golden_weights("docunet/head_weights"), test_docunet.described()["config"]
    config = config_of(sizes["hidden"], heads=sizes["heads"])
    checkpoint = {
        "epoch": 3,
        "best_f1": 0.5,
        "checkpoint": {**bert_weights(config, "bert_model."), **head},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]},
    }
    relations = sizes["num_labels"] - 1
    file = tmp_path / "weights.pt"
    torch.save(checkpoint, file, _use_new_zipfile_serialization=False)
    found = converted(tmp_path, "docunet", None, config, relations)
    assert found.model.head.context.height == 42
    found.model.head.context.height = sizes["max_height"]  # which no weight tells
    batch, encoded, _, _ = test_docunet.run()
    with torch.no_grad():
        logits = found.model.head(encoded, batch).logits
    check(logits, test_docunet.load("outputs")["head.logits"])
    expected = test_docunet.load("outputs")["head.pred_top3"][:, 1:].bool()
    assert torch.equal(found.model.decoder.mask(logits), expected)
    assert found.features.markers == "typed"


class EntityType:
    """What JEREX's checkpoints have beside the weights, under another module's name."""

    def __init__(self, name):
        self.name = name


@pytest.fixture
def jerex_is_installed():
    """Have a package of that name while a checkpoint is written, as its authors have."""
    package, module = ModuleType("jerex"), ModuleType("jerex.entities")
    module.EntityType = type("EntityType", (EntityType,), {"__module__": "jerex.entities"})
    sys.modules |= {"jerex": package, "jerex.entities": module}
    yield module.EntityType
    sys.modules.pop("jerex.entities", None)
    sys.modules.pop("jerex", None)


@pytest.mark.parametrize("kind", joint_documents.KINDS)
def test_jerex_whole(tmp_path, kind, jerex_is_installed):
    weights = golden_weights("joint/jerex_modules/weights_shared")
    weights |= golden_weights(f"joint/jerex_modules/weights_{kind}")
    folder = "jerex_modules"
    checkpoint = {
        "epoch": 20,
        "state_dict": {f"model.{name}": value for name, value in weights.items()},
        "hyper_parameters": {"entity_types": {"PER": jerex_is_installed("PER")}},
        "callbacks": {jerex_is_installed: {"best": 0.5}},  # as Lightning's, by their class
    }
    torch.save(checkpoint, tmp_path / "weights.pt")
    del sys.modules["jerex.entities"], sys.modules["jerex"]
    config = {"model_type": "bert", **joint_documents.listed(folder, "config.json")["bert"]}
    config["max_position_embeddings"] = 64  # of the encoder it began from: it was made longer
    types = golden("joint/jerex_modules/types.json")
    sizes = joint_documents.listed(folder, "config.json")
    relations = sizes["n_relation_types"]
    found = converted(tmp_path, "jerex", None, config, relations, relations=types)
    assert found.types == tuple(json.loads(types.read_text())["entities"])
    model = found.model
    for document in joint_documents.DOCUMENTS:
        batch = joint_documents.training_batch(folder, [document])
        expected = joint_documents.inputs(folder, document)
        with torch.no_grad():
            states = model.encoder(batch.documents).token_states
            logits = model.network(states, batch)
        joint_documents.close(states[0], expected["h"])
        joint_documents.close(logits.mention, expected["train.mention_logits"])
        joint_documents.close(logits.coreference, expected["train.coref_logits"])
        joint_documents.close(logits.entity, expected["train.entity_logits"])
        joint_documents.close(logits.relation, expected[f"train.{kind}.rel_logits"])
    assert not model.examples.special_tokens
    assert model.phrases == "tokens"
    thresholds = model.thresholds
    assert (thresholds.mention, thresholds.coreference, thresholds.relation) == (0.85, 0.85, 0.6)
