"""Attention, evidence, logits, losses and gradients of the head of DREEAM."""

from __future__ import annotations

import json
from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file

from docre.context import LocalizedContext
from docre.decoding import ThresholdDecoder
from docre.evidence import evidence_sentences, sentence_scores
from docre.heads import GroupedBilinear, PairHead
from docre.losses import (
    AdaptiveThresholdLoss,
    AttentionDistillation,
    CombinedLoss,
    EvidenceLoss,
)
from docre.outputs import AttentionMaps, Encoded, Targets, TeacherTargets
from docre.pooling import entity_attention, mention_states
from docre.published.atlop import NAMES
from docre.published.dreeam import EPS
from docre.published.origins import by_prefix
from tests.batches import make_batch
from tests.corpora import golden
from tests.golden.published_weights import load_published, names_in
from tests.losses.scenes import with_evidence

LOOSE = {"atol": 2e-5, "rtol": 1e-4}
TIGHT = {"atol": 1e-9, "rtol": 1e-9}
# the target is computed in float32 there
NEARLY = {"atol": 1e-6, "rtol": 1e-6}
FIND = by_prefix(NAMES)


@cache
def config():
    return json.loads(golden("dreeam/docs.json").read_text())["config"]


@cache
def documents():
    return json.loads(golden("dreeam/docs.json").read_text())["docs"]


@cache
def load(name):
    return load_file(golden(f"dreeam/{name}.safetensors"))


@cache
def batch_of():
    width = max(document["length"] for document in documents())
    batch = make_batch(
        [[5] * document["length"] for document in documents()],
        [
            [[start + 1 for start, _ in entity if start + 1 < width] for entity in d["entity_pos"]]
            for d in documents()
        ],
        [[tuple(pair) for pair in document["hts"]] for document in documents()],
        [
            [
                (*pair, column - 1)
                for pair, row in zip(document["hts"], document["labels"], strict=True)
                for column, is_one in enumerate(row)
                if column and is_one
            ]
            for document in documents()
        ],
    )
    sentences = [[(a + 1, b + 1) for a, b in document["sent_pos"]] for document in documents()]
    counts = [row for document in documents() for row in document["sent_labels"]]
    return with_evidence(batch, sentences, counts)


@cache
def run(dtype=torch.float32):
    """The head on the given states and attention, both leaves of the graph."""
    weights = load("head_weights")
    head = PairHead(
        config()["hidden"],
        config()["num_labels"] - 1,
        context=partial(LocalizedContext, eps=EPS),
        classifier=partial(GroupedBilinear, block_size=config()["block_size"]),
        width=config()["emb_size"],
    )
    assert not load_published(head, "head.", FIND, weights)
    head = head.to(dtype)
    batch = batch_of()
    states = load("inputs")["head.sequence_output"].to(dtype).requires_grad_()
    attention = load("inputs")["head.attention"].to(dtype).requires_grad_()
    document = batch.entity_doc[batch.mention_entity]
    rows = attention[document, :, batch.mention_token]  # [M, H, T]
    encoded = Encoded(states, rows)
    output = head(encoded, batch)
    return head, encoded, output, states, attention


def parts_of(dtype, *losses):
    teacher = TeacherTargets(attention=AttentionMaps(load("inputs")["head.teacher_attention"]))
    labels = torch.tensor([row for document in documents() for row in document["labels"]])
    return CombinedLoss(losses)(run(dtype)[2], Targets(labels, batch_of(), teacher))


def close(found, name, tolerance=LOOSE):
    torch.testing.assert_close(found.detach(), load("outputs")[f"head.{name}"], **tolerance)


def test_dreeam_pooling_and_context():
    head, encoded, output, _, _ = run()
    batch = batch_of()
    mentions = mention_states(encoded.token_states, batch)
    entities = head.pooling(mentions, batch.mention_entity, batch.num_entities)
    close(entities[batch.pair_head], "hs")
    close(entities[batch.pair_tail], "ts")
    context = head.context(
        encoded, entities, entity_attention(encoded.mention_attention, batch), batch
    )
    close(context.per_pair(context.states), "rs")
    close(output.context.attention.per_pair(), "doc_attn")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dreeam_sentences(dtype):
    batch = batch_of()
    maps = run(dtype)[2].context.attention.per_pair()
    scores = sentence_scores(maps, batch.pair_doc, batch)
    expected = load("outputs")["head.s_attn" if dtype == torch.float32 else "head.s_attn_f64"]
    tolerance = LOOSE if dtype == torch.float32 else TIGHT
    for document, given in enumerate(documents()):
        pairs, mine = batch.pair_doc == document, batch.sentence_doc == document
        count = len(given["sent_pos"])
        torch.testing.assert_close(
            scores[pairs][:, mine].detach(), expected[pairs, :count], **tolerance
        )
        assert not expected[pairs, count:].any()
    found = evidence_sentences(maps, batch.pair_doc, batch, config()["evi_thresh"])
    predicted = load("outputs")["head.evi_pred"]
    assert [list(row) for row in found] == [row.nonzero().flatten().tolist() for row in predicted]


def test_dreeam_logits():
    close(run()[2].logits, "logits")
    close(run(torch.float64)[2].logits, "logits_f64", TIGHT)
    largest, columns = run()[2].logits.topk(config()["topk"], dim=1)
    close(largest, "scores")
    assert torch.equal(columns, load("outputs")["head.topks"])
    found = ThresholdDecoder(config()["topk"]).mask(run()[2].logits)
    expected = load("outputs")["head.rel_pred_top4"].bool()
    assert torch.equal(torch.cat([~found.any(1, keepdim=True), found], 1), expected)


def test_dreeam_losses():
    for dtype in (torch.float32, torch.float64):
        every = AdaptiveThresholdLoss(), EvidenceLoss(), AttentionDistillation()
        parts = parts_of(dtype, *every).scalars()
        relations = (parts["positive"] + parts["negative"]).reshape(1)
        evidence = parts["evidence"].reshape(1)
        if dtype == torch.float32:
            close(relations, "rel_loss")
            close(evidence, "evi_loss")
            close(parts["teacher_attention"].reshape(1), "attn_loss")
        else:
            close(relations, "rel_loss_f64", TIGHT)
            close(evidence, "evi_loss_f64", TIGHT)


def test_dreeam_gradients():
    head, _, _, states, attention = run(torch.float64)
    expected = load("outputs")
    named = dict(head.named_parameters()) | {"sequence_output": states, "attention": attention}
    total = parts_of(torch.float64, AdaptiveThresholdLoss(), EvidenceLoss(weight=0.1)).total()
    leaves = list(named.values())
    grads = dict(zip(named, torch.autograd.grad(total, leaves, retain_graph=True), strict=True))
    close(grads["sequence_output"].float(), "grad_evi.sequence_output")
    norms = [name for name in expected if name.startswith("head.gradnorm_evi.")]
    assert len(norms) == 7
    ours = names_in(head, "head.", FIND)
    for name in norms:
        theirs = name.removeprefix("head.gradnorm_evi.")
        norm = grads[ours.get(theirs, theirs)].norm().reshape(1)
        torch.testing.assert_close(norm, expected[name], **NEARLY)
    # with a loss that does not touch it: distillation alone is nothing to evaluate
    distilled = parts_of(torch.float64, EvidenceLoss(weight=0.0), AttentionDistillation(weight=1.0))
    (gradient,) = torch.autograd.grad(distilled.total(), attention, retain_graph=True)
    norm = gradient.norm().reshape(1)
    torch.testing.assert_close(norm, expected["head.gradnorm_attn.attention"], **NEARLY)
