"""Equal to the published joint system: candidates, heads, losses, gradients."""

from __future__ import annotations

import json
from functools import cache
from itertools import accumulate

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from docre.encoder import Encoder
from docre.joint import (
    CoreferenceHead,
    EntityStates,
    EntityTypeHead,
    GlobalRelationHead,
    JointLogits,
    JointTargets,
    MentionHead,
    MultiInstanceRelationHead,
    RelationInput,
    Spans,
    all_mention_pairs,
    candidate_spans,
    joint_loss,
    span_max,
)
from tests.batches import make_batch
from tests.corpora import golden

DOCUMENTS = range(5)
KINDS = ("grc", "mrc")
# our name -> published name, for both kinds of relation head
RENAMED = {
    "encoder.model.": "bert.",
    "mention.size_embedding.": "mention_localization.size_embeddings.",
    "mention.hidden.": "mention_localization.linear.",
    "mention.output.": "mention_localization.mention_classifier.",
    "coreference.edit_embedding.": "coreference_resolution.coref_ed_embeddings.",
    "coreference.hidden.": "coreference_resolution.coref_linear.",
    "coreference.output.": "coreference_resolution.coref_classifier.",
    "entity.hidden.": "entity_classification.linear.",
    "entity.output.": "entity_classification.entity_classifier.",
    "grc.type_embedding.": "entity_pair_representation.entity_embeddings.",
    "grc.hidden.": "entity_pair_representation.entity_pair_linear.",
    "grc.output.": "relation_classification.rel_classifier.",
    "mrc.type_embedding.": "relation_classification.entity_type_embeddings.",
    "mrc.token_distance.": "relation_classification.token_distance_embeddings.",
    "mrc.sentence_distance.": "relation_classification.sentence_distance_embeddings.",
    "mrc.instance.": "relation_classification.pair_linear.",
    "mrc.hidden.": "relation_classification.rel_linear.",
    "mrc.output.": "relation_classification.rel_classifier.",
}


def path(name):
    return golden(f"joint/jerex_modules/{name}")


@cache
def read(name):
    return json.loads(path(name).read_text())


@cache
def numbers(document):
    return load_file(path(f"doc{document}.safetensors"))


def published(name):
    """The published name of a parameter of ours."""
    ours = next(prefix for prefix in RENAMED if name.startswith(prefix))
    return RENAMED[ours] + name.removeprefix(ours)


def document_lengths(document):
    """Words of each sentence, and where the tokens of each word begin."""
    sentences = read("tokenized.json")[document]
    tokens = [len(word) for sentence in sentences for word in sentence]
    words = torch.tensor([len(sentence) for sentence in sentences], dtype=torch.long)
    return words, torch.tensor([0, *accumulate(tokens)])


class Joint(nn.Module):
    """An encoder, the four heads and what the published sample of a document asks them."""

    def __init__(self, kind):
        super().__init__()
        c = read("config.json")
        width, types = c["bert"]["hidden_size"], c["n_entity_types"]
        relations = c["n_relation_types"]
        meta, off = c["meta_dim"], 0.0
        bert = {**c["bert"], "model_type": "bert"}
        bert |= {"hidden_dropout_prob": off, "attention_probs_dropout_prob": off}
        self.encoder = Encoder(config=bert)
        self.mention = MentionHead(width, c["size_rows"], meta, off)
        self.coreference = CoreferenceHead(width, c["edit_rows"], meta, off)
        self.entity_states = EntityStates(off)
        self.entity = EntityTypeHead(width, types, off)
        if kind == "grc":
            self.grc = GlobalRelationHead(width, types, relations, meta, off)
        else:
            rows = c["token_dist_rows"], c["sent_dist_rows"]
            self.mrc = MultiInstanceRelationHead(width, types, relations, meta, meta, *rows, off)
        weights = load_file(path("weights_shared.safetensors"))
        weights |= load_file(path(f"weights_{kind}.safetensors"))
        self.load_state_dict({name: weights.pop(published(name)) for name in self.state_dict()})
        assert not weights
        self.relation = self.grc if kind == "grc" else self.mrc
        self.eval()

    def encode(self, documents):
        ids = [numbers(d)["input_ids"].tolist() for d in documents]
        return self.encoder(make_batch(ids, [[] for _ in ids])).token_states

    def forward(self, documents, token_states):
        """Return logits, targets, states of the sample, and what relations are read from."""
        sample = Sample(documents)
        spans, n = sample.spans, sample.numbers
        states = span_max(token_states, spans.document, spans.start, spans.end)
        entities = self.entity_states(
            states, n["entity_mentions"], sample.member_entity, len(n["entity_types"])
        )
        head, tail = n["rel_pairs"].unbind(1)
        pairs = all_mention_pairs(head, tail, n["entity_mentions"], n["entity_offsets"], spans)
        given = RelationInput(token_states, states, entities, n["entity_types"], head, tail, pairs)
        logits = JointLogits(
            self.mention(states, spans.sizes),
            self.coreference(states, *n["coref_pairs"].unbind(1), n["coref_edit"]),
            self.entity(entities),
            self.relation(given),
        )
        targets = JointTargets(
            n["mention_types"], n["coref_types"], n["entity_types"], n["rel_types"]
        )
        return logits, targets, given


class Sample:
    """The published training samples of documents, put together flat."""

    def __init__(self, documents):
        parts, shifts = [], {"mention": 0, "entity": 0, "pair": 0}
        for row, document in enumerate(documents):
            part = {
                name.removeprefix("train."): tensor
                for name, tensor in numbers(document).items()
                if name.startswith("train.")
            }
            words, _ = document_lengths(document)
            first_words = part["mention_word_spans"][:, 0].contiguous()
            part["sentence"] = torch.bucketize(first_words, words.cumsum(0), right=True)
            part["document"] = torch.full_like(part["sentence"], row)
            part["sizes_of_entities"] = part["entity_offsets"].diff()
            for name in ("entity_mentions", "coref_pairs", "mp_pairs"):
                part[name] = part[name] + shifts["mention"]
            part["rel_pairs"] = part["rel_pairs"] + shifts["entity"]
            part["mp_rel"] = part["mp_rel"] + shifts["pair"]
            shifts["mention"] += len(part["mention_spans"])
            shifts["entity"] += len(part["entity_types"])
            shifts["pair"] += len(part["rel_pairs"])
            parts.append(part)
        n = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        sizes = n["sizes_of_entities"]
        n["entity_offsets"] = torch.cat((torch.zeros(1, dtype=torch.long), sizes.cumsum(0)))
        self.numbers = n
        self.member_entity = torch.repeat_interleave(sizes)
        self.spans = Spans(
            n["document"],
            n["sentence"],
            *n["mention_word_spans"].unbind(1),
            *n["mention_spans"].unbind(1),
        )


@cache
def model(kind):
    return Joint(kind)


def close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_candidates(document):
    expected = numbers(document)
    words, offset = document_lengths(document)
    found = candidate_spans(words, offset, read("config.json")["max_span_words"])
    assert torch.equal(torch.stack((found.start, found.end), 1), expected["cand.spans"])
    word_spans = torch.stack((found.word_start, found.word_end), 1)
    assert torch.equal(word_spans, expected["cand.word_spans"])
    assert torch.equal(found.sizes, expected["cand.sizes"])
    assert torch.equal(found.sentence, expected["cand.sent"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_encoder_reads_text_without_special_tokens(document):
    with torch.no_grad():
        found = model("grc").encode([document])
    close(found[0], numbers(document)["h"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_mentions_among_candidates(document):
    expected = numbers(document)
    words, offset = document_lengths(document)
    spans = candidate_spans(words, offset, read("config.json")["max_span_words"])
    states = span_max(expected["h"][None], spans.document, spans.start, spans.end)
    assert torch.equal(states, expected["cand.mention_repr"])
    with torch.no_grad():
        close(model("grc").mention(states, spans.sizes), expected["cand.mention_logits"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_mention_pairs(document):
    sample = Sample([document])
    n = sample.numbers
    found = all_mention_pairs(
        *n["rel_pairs"].unbind(1), n["entity_mentions"], n["entity_offsets"], sample.spans
    )
    assert torch.equal(torch.stack((found.head, found.tail), 1), n["mp_pairs"])
    assert torch.equal(found.pair, n["mp_rel"])
    gaps, gap = found.gaps, found.gap
    assert torch.equal(torch.stack((gaps.start, gaps.end), 1)[gap], n["mp_context"])
    assert torch.equal(gaps.token_distance[gap], n["mp_token_dist"])
    assert torch.equal(gaps.sentence_distance[gap], n["mp_sent_dist"])
    context = span_max(numbers(document)["h"][None], gaps.document, gaps.start, gaps.end)
    assert torch.equal(context[gap], n["mrc.context"])


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_joint_heads(document, kind, train):
    """In both modes, as relations sum up in another order in each; dropout is 0."""
    expected, heads = numbers(document), model(kind)
    heads.train(train)
    with torch.no_grad():
        logits, _, given = heads([document], expected["h"][None])
        pair_states = heads.relation.pair_states(given)
        if kind == "mrc":
            close(heads.relation.pooled_instances(given), expected["train.mrc.pooled"])
    heads.eval()
    assert torch.equal(given.mentions, expected["train.mention_repr"])
    assert torch.equal(given.entities, expected["train.entity_repr"])
    close(logits.mention, expected["train.mention_logits"])
    close(logits.coreference, expected["train.coref_logits"])
    close(logits.entity, expected["train.entity_logits"])
    close(pair_states, expected[f"train.{kind}.pair_repr"])
    close(logits.relation, expected[f"train.{kind}.rel_logits"])


def losses():
    """Rows of losses: the documents and their numbers, alone and together."""
    found = read("losses.json")
    alone = [([row["doc"]], row) for row in found["per_document"]]
    return alone + [(row["docs"], row) for row in found["batches"]]


def total(heads, documents):
    logits, targets, _ = heads(documents, heads.encode(documents))
    return joint_loss(logits, targets)


@pytest.mark.parametrize("kind", KINDS)
def test_joint_losses(kind):
    assert len(losses()) > len(DOCUMENTS)
    for documents, row in losses():
        expected = row[kind]
        with torch.no_grad():
            parts = total(model(kind), documents)
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
    heads = model(kind).train(train)
    heads.zero_grad(set_to_none=True)
    total(heads, documents).total().backward()
    heads.eval()
    return {published(name): parameter.grad for name, parameter in heads.named_parameters()}


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
