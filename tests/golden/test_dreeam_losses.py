"""The evidence and attention losses of DREEAM, alone."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from docre.evidence import evidence_sentences
from docre.losses import AttentionDistillation, EvidenceLoss
from docre.outputs import AttentionMaps, HeadOutput, PairContext, Targets, TeacherTargets
from tests.batches import make_batch
from tests.corpora import golden
from tests.losses.scenes import with_evidence

TIGHT = {"atol": 1e-9, "rtol": 1e-9}


@cache
def load(name):
    return load_file(golden(f"losses/{name}.safetensors"))


def batch_of(labels):
    """One document whose sentences are single tokens, so that scores of sentences are attention."""
    counts = load("inputs")["E.sent_labels"]
    number, sentences = counts.shape
    pairs = [(h, t) for h in range(number) for t in range(number) if h != t][:number]
    listed = [(*pairs[row], column - 1) for row, column in labels.nonzero().tolist() if column]
    entities = [[0] for _ in range(number)]
    batch = make_batch([[5] * sentences], [entities], [pairs], [listed])
    labelled = labels[:, 1:].any(1, keepdim=True)
    spans = [(s, s + 1) for s in range(sentences)]
    return with_evidence(batch, [spans], (counts * labelled).tolist())


def evidence_loss(attention, labels):
    output = HeadOutput(load("inputs")["E.logits"], PairContext(attention, None, maps(attention)))
    return EvidenceLoss(weight=1.0)(output, Targets(labels, batch_of(labels))).total()


def maps(attention):
    return AttentionMaps(attention)


def compare(name, gradient_name, loss, attention):
    expected = load("outputs")
    leaf = attention.clone().requires_grad_()
    total = loss(leaf)
    (gradient,) = torch.autograd.grad(total, leaf)
    torch.testing.assert_close(total.detach().reshape(1), expected[f"E.{name}.value"], **TIGHT)
    torch.testing.assert_close(gradient, expected[f"E.{name}.{gradient_name}"], **TIGHT)
    found = loss(attention.float()).reshape(1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected[f"E.{name}.value_f32"], atol=2e-5, rtol=1e-5)


def test_evidence():
    labels = load("inputs")["E.labels"]
    scores = load("inputs")["E.s_attn"]
    assert (scores == 0).any()
    compare("evi_loss", "grad_s_attn", lambda given: evidence_loss(given, labels), scores)


def test_evidence_without_labels():
    """Not a number in the published code, which divides by the number of labelled pairs; 0 here."""
    assert load("outputs")["E.evi_loss_no_positive_rows"].isnan()
    assert load("outputs")["E.evi_loss_no_positive_rows_f32"].isnan()
    labels = torch.zeros_like(load("inputs")["E.labels"])
    scores = load("inputs")["E.s_attn"].clone().requires_grad_()
    total = evidence_loss(scores, labels)
    total.backward()
    assert total == 0
    assert not scores.grad.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_evidence_prediction(dtype):
    labels = load("inputs")["E.labels"]
    batch = batch_of(labels)
    scores = load("inputs")["E.s_attn"].to(dtype)
    found = evidence_sentences(scores, batch.pair_doc, batch)
    expected = [row.nonzero().flatten().tolist() for row in load("outputs")["E.evi_pred"]]
    assert [list(row) for row in found] == expected


def test_attention():
    teacher = load("inputs")["E.teacher_attn"]
    found = load("inputs")["E.doc_attn"]
    assert (teacher == 0).any()
    assert (found == 0).any()

    def loss(given):
        output = HeadOutput(load("inputs")["E.logits"], PairContext(given, None, maps(given)))
        kept = TeacherTargets(attention=maps(teacher.to(given.dtype)))
        targets = Targets(load("inputs")["E.labels"], teacher=kept)
        return AttentionDistillation(weight=1.0)(output, targets).total()

    compare("attn_loss", "grad_doc_attn", loss, found)


def test_every_number_is_compared():
    there = {name for name in load("outputs") if name.startswith("E.")}
    assert there == {
        *(f"E.evi_loss.{end}" for end in ("value", "value_f32", "grad_s_attn")),
        *(f"E.attn_loss.{end}" for end in ("value", "value_f32", "grad_doc_attn")),
        "E.evi_loss_no_positive_rows",
        "E.evi_loss_no_positive_rows_f32",
        "E.evi_pred",
    }
