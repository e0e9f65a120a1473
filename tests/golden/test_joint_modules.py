"""Equal to the published joint system: candidates, heads, losses, gradients."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from docre.joint import JointLoss, JointNetwork, JointTargets, all_mention_pairs, span_max
from docre.published.jerex import NAMES, kind_of
from docre.published.origins import by_prefix
from tests.corpora import golden
from tests.golden.joint_documents import (
    DOCUMENTS,
    KINDS,
    bert,
    candidates,
    close,
    inputs,
    listed,
    network_settings,
    recorded,
    sample,
    texts,
    training_batch,
)
from tests.golden.published_weights import load_published

FOLDER = "jerex_modules"


def path(name):
    return golden(f"joint/{FOLDER}/{name}")


def published(name, kind):
    """The published name of a parameter of ours."""
    (theirs,) = by_prefix(NAMES[kind])(name).names
    return theirs


class Joint(nn.Module):
    """An encoder and our network, with published weights."""

    def __init__(self, kind):
        super().__init__()
        self.encoder = bert(FOLDER)
        self.network = JointNetwork(**network_settings(FOLDER, kind))
        weights = load_file(path("weights_shared.safetensors"))
        weights |= load_file(path(f"weights_{kind}.safetensors"))
        assert kind_of(weights) == kind
        assert not load_published(self, "", by_prefix(NAMES[kind]), weights)
        self.eval()
        self.seen = {}
        recorded(self.network, self.seen)

    def encode(self, documents):
        return self.encoder(texts(FOLDER, documents)).token_states

    def loss(self, documents):
        batch = training_batch(FOLDER, documents)
        relations = listed(FOLDER, "config.json")["n_relation_types"]
        logits = self.network(self.encode(documents), batch)
        return JointLoss()(logits, JointTargets.of(batch.sample, relations))


@cache
def model(kind):
    return Joint(kind)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_candidates(document):
    expected, found = inputs(FOLDER, document), candidates(FOLDER, [document])
    assert torch.equal(torch.stack((found.start, found.end), 1), expected["cand.spans"])
    word_spans = torch.stack((found.word_start, found.word_end), 1)
    assert torch.equal(word_spans, expected["cand.word_spans"])
    assert torch.equal(found.sizes, expected["cand.sizes"])
    assert torch.equal(found.sentence, expected["cand.sent"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_encoder_reads_text_without_special_tokens(document):
    with torch.no_grad():
        found = model("grc").encode([document])
    close(found[0], inputs(FOLDER, document)["h"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_mentions_among_candidates(document):
    expected, spans = inputs(FOLDER, document), candidates(FOLDER, [document])
    states = span_max(expected["h"][None], spans.document, spans.start, spans.end)
    assert torch.equal(states, expected["cand.mention_repr"])
    with torch.no_grad():
        logits = model("grc").network.mention(states, spans.sizes)
    close(logits, expected["cand.mention_logits"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_mention_pairs(document):
    given, expected = sample(FOLDER, document), inputs(FOLDER, document)
    found = all_mention_pairs(
        given.pair_head, given.pair_tail, given.member, given.entity_offset, given.spans
    )
    assert torch.equal(torch.stack((found.head, found.tail), 1), expected["train.mp_pairs"])
    assert torch.equal(found.pair, expected["train.mp_rel"])
    gaps, gap = found.gaps, found.gap
    assert torch.equal(torch.stack((gaps.start, gaps.end), 1)[gap], expected["train.mp_context"])
    assert torch.equal(gaps.token_distance[gap], expected["train.mp_token_dist"])
    assert torch.equal(gaps.sentence_distance[gap], expected["train.mp_sent_dist"])
    context = span_max(expected["h"][None], gaps.document, gaps.start, gaps.end)
    assert torch.equal(context[gap], expected["train.mrc.context"])


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_heads(document, kind, train):
    """In both modes, as relations sum up in another order in each; dropout is 0."""
    expected, joint = inputs(FOLDER, document), model(kind)
    joint.train(train)
    with torch.no_grad():
        logits = joint.network(expected["h"][None], training_batch(FOLDER, [document]))
        given = joint.seen["given"]
        if kind == "mrc":
            close(joint.network.relation.pooled_instances(given), expected["train.mrc.pooled"])
    joint.eval()
    assert torch.equal(given.mentions, expected["train.mention_repr"])
    assert torch.equal(given.entities, expected["train.entity_repr"])
    close(logits.mention, expected["train.mention_logits"])
    close(logits.coreference, expected["train.coref_logits"])
    close(logits.entity, expected["train.entity_logits"])
    close(joint.seen["pair_repr"], expected[f"train.{kind}.pair_repr"])
    close(logits.relation, expected[f"train.{kind}.rel_logits"])


def losses():
    """Rows of losses: the documents and their numbers, alone and together."""
    found = listed(FOLDER, "losses.json")
    alone = [([row["doc"]], row) for row in found["per_document"]]
    return alone + [(row["docs"], row) for row in found["batches"]]


@pytest.mark.parametrize("kind", KINDS)
def test_joint_losses(kind):
    assert len(losses()) > len(DOCUMENTS)
    for documents, row in losses():
        expected = row[kind]
        with torch.no_grad():
            parts = model(kind).loss(documents)
        ours = {"mention": "mention", "coref": "coreference", "entity": "entity", "rel": "relation"}
        for theirs, name in ours.items():
            found = float(parts.scalars()[name])
            assert found == pytest.approx(expected[f"{theirs}_loss"], rel=2e-6, abs=1e-6)
        assert float(parts.total()) == pytest.approx(expected["loss"], rel=2e-6)
        counts = {name: part.values.numel() for name, part in parts.parts.items()}
        theirs = expected["counts"]
        assert counts == {name: theirs["coref" if "coref" in name else name] for name in counts}


def gradients(kind, documents, train):
    """The gradient of each parameter, under its published name."""
    joint = model(kind).train(train)
    joint.zero_grad(set_to_none=True)
    joint.loss(documents).total().backward()
    joint.eval()
    return {published(name, kind): parameter.grad for name, parameter in joint.named_parameters()}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_joint_gradients(kind, train):
    found = gradients(kind, [0, 1, 4], train)
    expected = load_file(path(f"grads_{kind}.safetensors"))
    assert len(expected) > 20
    for name, gradient in expected.items():
        close(found[name], gradient, 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_joint_gradient_norms(kind):
    rows = [(documents, row[kind]) for documents, row in losses() if "grad_norms" in row[kind]]
    assert rows
    for documents, row in rows:
        found = gradients(kind, documents, train=False)
        assert set(found) == set(row["grad_norms"])
        for name, norm in row["grad_norms"].items():
            assert float(found[name].double().norm()) == pytest.approx(norm, rel=1e-4, abs=1e-5)
