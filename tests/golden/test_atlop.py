"""Entities, contexts, logits, predictions, loss and gradients as in the published code of ATLOP."""

from __future__ import annotations

import json
from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file

from docre.context.localized import shared_attention
from docre.decoding import ThresholdDecoder
from docre.encoder import Encoder
from docre.heads import GroupedBilinear, PairHead
from docre.losses import AdaptiveThresholdLoss
from docre.outputs import Targets
from docre.pooling import entity_attention, mention_states
from docre.published.atlop import ATLOP, NAMES
from docre.published.origins import by_prefix
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden.published_weights import load_published, names_in

CONFIG = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "intermediate_size", "max_position_embeddings", "pad_token_id",
)  # fmt: skip
FIND = by_prefix(NAMES)


@cache
def inputs():
    return json.loads(golden("atlop/batches.json").read_text())


@cache
def outputs():
    return load_file(golden("atlop/outputs.safetensors"))


def models(dtype):
    config = {"model_type": "bert", **{name: inputs()["config"][name] for name in CONFIG}}
    encoder = Encoder(config=config, uncovered="published")
    weights = load_file(golden("atlop/weights.safetensors"))
    columns = len(weights["bilinear.bias"])
    width = weights["head_extractor.bias"].shape[0]
    block = weights["bilinear.weight"].shape[1] // width
    classifier = partial(GroupedBilinear, block_size=block)
    head = PairHead(encoder.width, columns - 1, classifier=classifier, width=width)
    left = set(load_published(encoder, "encoder.", FIND, weights))
    left &= set(load_published(head, "head.", FIND, weights))
    assert all(ATLOP.is_dead(name) for name in left)
    return encoder.to(dtype).eval(), head.to(dtype).eval()


def batch_of(name):
    documents = inputs()["batches"][name]
    width = max(document["length"] for document in documents)
    return make_batch(
        [document["input_ids"] for document in documents],
        [
            [[start + 1 for start, _ in entity if start + 1 < width] for entity in d["entity_pos"]]
            for d in documents
        ],
        [[tuple(pair) for pair in document["hts"]] for document in documents],
    )


def labels_of(name):
    return torch.cat([torch.tensor(document["labels"]) for document in inputs()["batches"][name]])


@cache
def run(name, dtype=torch.float32):
    encoder, head = models(dtype)
    batch = batch_of(name)
    encoded = encoder(batch)
    output = head(encoded, batch)
    parts = AdaptiveThresholdLoss()(output, Targets(labels_of(name)))
    return batch, encoded, head, output, encoder, parts


def close(found, name, exact=False):
    tolerance = {"atol": 1e-9, "rtol": 1e-9} if exact else {"atol": 2e-5, "rtol": 1e-4}
    torch.testing.assert_close(found.detach(), outputs()[name], **tolerance)


@pytest.mark.parametrize("name", "ABC")
def test_atlop_pooling_and_context(name):
    batch, encoded, head, _, _, _ = run(name)
    mentions = mention_states(encoded.token_states, batch)
    entities = head.pooling(mentions, batch.mention_entity, batch.num_entities)
    close(entities, f"{name}.entity_emb")
    close(entities[batch.pair_head], f"{name}.hs")
    close(entities[batch.pair_tail], f"{name}.ts")
    attention = entity_attention(encoded.mention_attention, batch)
    context = head.context(encoded, entities, attention, batch)
    close(context.per_pair(context.states), f"{name}.rs")
    own = []
    for document in range(len(batch)):
        mine = batch.entity_doc == document
        weights = shared_attention(attention[mine]).diagonal(dim1=0, dim2=1).t()
        own.append(weights @ encoded.token_states[document])
    close(torch.cat(own), f"{name}.context_self")


@pytest.mark.parametrize("name", "ABC")
def test_atlop_logits(name):
    close(run(name)[3].logits, f"{name}.logits")
    close(run(name, torch.float64)[3].logits, f"{name}.logits_f64", exact=True)


@pytest.mark.parametrize("name", "ABC")
@pytest.mark.parametrize(("top_k", "tensor"), [(4, "pred_top4"), (0, "pred_all")])
def test_atlop_predictions(name, top_k, tensor):
    found = ThresholdDecoder(top_k).mask(run(name)[3].logits).float()
    nothing = (found.sum(1, keepdim=True) == 0).float()
    assert torch.equal(torch.cat([nothing, found], 1), outputs()[f"{name}.{tensor}"])


@pytest.mark.parametrize("name", "ABC")
def test_atlop_loss_and_gradients(name):
    _, _, head, _, encoder, parts = run(name, torch.float64)
    total = parts.total()
    torch.testing.assert_close(
        total.detach().float().reshape(1), outputs()[f"{name}.loss"], atol=1e-5, rtol=1e-5
    )
    named = {n: p for module in (encoder, head) for n, p in module.named_parameters()}
    grads = dict(
        zip(named, torch.autograd.grad(total, list(named.values()), retain_graph=True), strict=True)
    )
    ours = names_in(encoder, "encoder.", FIND) | names_in(head, "head.", FIND)
    seen = 0
    for key, expected in outputs().items():
        prefix, _, parameter = key.partition(".grad")
        kind, _, parameter = parameter.partition(".")
        if prefix != name or not parameter or ".grad" not in key:
            continue
        if float(expected.flatten()[0]) == -1 and kind == "norm":
            assert ATLOP.is_dead(parameter)
            assert parameter not in ours  # not even present here
            continue
        found = grads[ours[parameter]]
        found = found.norm().reshape(1) if kind == "norm" else found
        torch.testing.assert_close(
            found, expected.double(), atol=2e-5, rtol=1e-4, msg=lambda m, key=key: f"{key}: {m}"
        )
        seen += 1
    assert seen == sum(
        1
        for key, value in outputs().items()
        if key.startswith(f"{name}.grad") and float(value.flatten()[0]) != -1
    )


def test_atlop_products():
    """The products of the first pairs, which our bilinear never has all at once."""
    head = run("B")[2]
    products = outputs()["B.bilinear_input_first8"]
    logits = products @ head.classifier.weight.t() + head.classifier.bias
    expected = outputs()["B.logits"][: len(products)]
    torch.testing.assert_close(logits.detach(), expected, atol=2e-5, rtol=1e-4)
