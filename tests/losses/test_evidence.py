import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from docre.losses import (
    AttentionDistillation,
    EvidenceLoss,
    LogitDistillation,
    Loss,
    divergence,
    evidence_divergence,
)
from docre.outputs import AttentionMaps, HeadOutput, PairContext, Targets
from tests.losses.scenes import NUM_RELATIONS, Student, scene, with_evidence

HALF = (torch.bfloat16, torch.float16)


def run(loss, maps, batch, index=None):
    output = HeadOutput(
        torch.zeros(batch.num_pairs, 1 + NUM_RELATIONS),
        PairContext(maps, index, AttentionMaps(maps, index)),
    )
    return loss(output, Targets(batch.labels(NUM_RELATIONS), batch))


def student_maps(batch, features, dtype=torch.float64):
    output = Student()(features, batch.token_mask[batch.pair_doc])
    return output.context.attention.maps.detach().to(dtype)


def definition(maps, batch):
    """Pair by pair and sentence by sentence."""
    values = []
    for pair in range(batch.num_pairs):
        labels = [k for k, p in enumerate(batch.label_pair.tolist()) if p == pair]
        if not labels:
            continue
        evidence = [
            sentence
            for label, sentence in zip(
                batch.evidence_label.tolist(), batch.evidence_sentence.tolist(), strict=True
            )
            if label in labels
        ]
        value = 0.0
        for sentence in set(evidence):
            start, end = int(batch.sentence_start[sentence]), int(batch.sentence_end[sentence])
            seen = float(maps[pair, start:end].sum()) or 1e-30
            share = evidence.count(sentence) / len(evidence)
            value += share * (math.log(share) - math.log(seen))
        values.append(value)
    return values


def test_equal_to_the_definition():
    batch, features, _ = scene()
    maps = student_maps(batch, features)
    maps[:, 4:8] = 0  # nothing of one sentence is seen
    expected = definition(maps, batch)
    assert max(expected) > 10
    found, count = evidence_divergence(AttentionMaps(maps), batch)
    assert int(count) == len(expected) < len(found)
    assert float(found.sum()) == pytest.approx(sum(expected), rel=1e-12)
    parts = run(EvidenceLoss(weight=0.3), maps, batch)
    mean = sum(expected) / len(expected)
    assert float(parts.scalars()["evidence"]) == pytest.approx(mean, rel=1e-12)
    assert float(parts.total()) == pytest.approx(0.3 * mean, rel=1e-12)


def test_published_example():
    """Two labelled pairs, the second without evidence: it counts, and adds nothing."""
    batch, _, _ = scene((3,))
    batch = replace(
        batch, label_pair=torch.tensor([4, 1, 4]), label_relation=torch.tensor([0, 2, 3])
    )
    counts = [[0, 0, 0] for _ in range(batch.num_pairs)]
    counts[4] = [1, 0, 1]
    batch = with_evidence(batch, [[(1, 2), (2, 3), (3, 4)]], counts)
    maps = torch.zeros(batch.num_pairs, batch.num_tokens)
    maps[4, 1:4] = torch.tensor([0.6, 0.3, 0.1])
    maps[1, 1:4] = torch.tensor([0.2, 0.0, 0.7])
    found = run(EvidenceLoss(), maps, batch).scalars()["evidence"]
    assert float(found) == pytest.approx(0.3567791, abs=1e-6)


def test_gradient():
    batch, features, _ = scene((0, 1))
    maps = student_maps(batch, features).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: run(EvidenceLoss(), given, batch).total(), [maps])
    batch, features, _ = scene()
    maps = student_maps(batch, features).requires_grad_()
    (gradient,) = torch.autograd.grad(run(EvidenceLoss(), maps, batch).total(), maps)
    labelled = torch.zeros(batch.num_pairs, dtype=torch.bool)
    labelled[batch.label_pair] = True
    assert gradient[labelled].any()
    assert not gradient[~labelled].any()


def test_maps_may_be_shared():
    batch, features, _ = scene()
    maps = student_maps(batch, features)
    index = torch.arange(batch.num_pairs) // 2
    shared = run(EvidenceLoss(), maps, batch, index).total()
    assert torch.equal(shared, run(EvidenceLoss(), maps[index], batch).total())


def test_how_labels_are_listed_does_not_matter():
    """Other labels of the pair may have the evidence, in any order."""
    batch, features, _ = scene()
    maps = student_maps(batch, features)
    expected = float(run(EvidenceLoss(), maps, batch).total())
    order = torch.randperm(len(batch.label_pair), generator=torch.Generator().manual_seed(0))
    moved = replace(
        batch,
        label_pair=batch.label_pair[order],
        label_relation=batch.label_relation[order],
        evidence_label=order.argsort()[batch.evidence_label],
    )
    assert float(run(EvidenceLoss(), maps, moved).total()) == pytest.approx(expected, rel=1e-12)


def test_sentences_that_are_hardly_seen_keep_their_gradient():
    """They matter most; a difference of running sums in float32 would be 0."""
    batch, features, _ = scene()
    maps = student_maps(batch, features, torch.float32)
    maps[:, 4:8] *= 1e-12
    maps.requires_grad_()
    value = run(EvidenceLoss(), maps, batch).total()
    exact = definition(maps.detach().double(), batch)
    assert float(value.detach()) == pytest.approx(0.1 * sum(exact) / len(exact), rel=1e-5)
    (gradient,) = torch.autograd.grad(value, maps)
    assert gradient.isfinite().all()
    assert gradient.min() < -1e8


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision(dtype):
    batch, features, _ = scene()
    maps = student_maps(batch, features, dtype)
    plain = run(EvidenceLoss(), maps, batch).total()
    exact = run(EvidenceLoss(), maps.double(), batch).total()
    assert plain.dtype == torch.float32
    assert float(plain) == pytest.approx(float(exact), rel=1e-5)
    with torch.autocast("cpu", dtype):
        assert torch.equal(run(EvidenceLoss(), maps, batch).total(), plain)
        assert torch.equal(run(EvidenceLoss(), maps.float(), batch).total(), plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finite_where_everything_is_somewhere_else(dtype):
    batch, _, _ = scene()
    maps = torch.zeros(batch.num_pairs, batch.num_tokens, dtype=dtype)
    maps[:, 0] = 1
    maps[:, 1] = 1e-35
    maps.requires_grad_()
    value = run(EvidenceLoss(), maps, batch).total()
    (gradient,) = torch.autograd.grad(value, maps)
    assert 0.1 * 10 < float(value.detach()) < 0.1 * 70
    assert gradient.isfinite().all()


@pytest.mark.parametrize("documents", [(0,), (3,)])
def test_nothing_labelled_is_zero_with_a_graph(documents):
    batch, features, _ = scene(documents)
    maps = student_maps(batch, features).requires_grad_()
    total = run(EvidenceLoss(), maps, batch).total()
    total.backward()
    assert total == 0
    assert torch.equal(maps.grad, torch.zeros_like(maps))


def test_nothing_depends_on_values():
    batch, features, teacher = scene()
    maps = student_maps(batch, features)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(maps).requires_grad_()
        fake_batch = batch._each(mode.from_tensor)
        logits = mode.from_tensor(torch.zeros(batch.num_pairs, 1 + NUM_RELATIONS))
        output = HeadOutput(logits.requires_grad_(), PairContext(fake, None, AttentionMaps(fake)))
        given = replace(
            teacher,
            values=mode.from_tensor(teacher.values),
            attention=AttentionMaps(mode.from_tensor(teacher.attention.maps)),
        )
        targets = Targets(logits.detach(), fake_batch, given)
        for loss in (EvidenceLoss(), AttentionDistillation(), LogitDistillation()):
            parts = loss(output, targets)
            parts.scalars()
            parts.total().backward()


def test_the_callers_tensors_stay():
    batch, features, _ = scene()
    maps = student_maps(batch, features)
    tensors = [maps, batch.label_pair, batch.evidence_label, batch.evidence_sentence]
    versions = [tensor._version for tensor in tensors]
    run(EvidenceLoss(), maps.requires_grad_(), batch).total().backward()
    assert [tensor._version for tensor in tensors] == versions


def test_divergence_of_rows():
    target = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    found = torch.tensor([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])
    values = divergence(target, found)
    expected = [0.5 * math.log(2), 30 * math.log(10), 0.0]
    assert values.tolist() == pytest.approx(expected, rel=1e-6)


def test_what_is_missing_is_named():
    batch, features, _ = scene()
    maps = student_maps(batch, features)
    logits = torch.zeros(batch.num_pairs, 1 + NUM_RELATIONS)
    labels = batch.labels(NUM_RELATIONS)
    attentive = HeadOutput(logits, PairContext(maps, None, AttentionMaps(maps)))
    with pytest.raises(ValueError, match="give Targets its batch"):
        EvidenceLoss()(attentive, Targets(labels))
    for context in (None, PairContext(maps)):
        with pytest.raises(ValueError, match="this head's context does not come from tokens"):
            EvidenceLoss()(HeadOutput(logits, context), Targets(labels, batch))
    with pytest.raises(ValueError, match="weight is at least 0, not -1"):
        EvidenceLoss(weight=-1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["EvidenceLoss", "AttentionDistillation", "LogitDistillation"])
def test_can_be_chosen_in_yaml(name):
    parser = ArgumentParser()
    parser.add_argument("--loss", type=Callable[[Tensor], Loss])
    text = f"loss:\n  class_path: docre.losses.{name}\n  init_args:\n    weight: 0.05\n"
    made = parser.instantiate_classes(parser.parse_string(text)).loss(torch.ones(NUM_RELATIONS))
    assert type(made).__name__ == name
    assert made.weight == 0.05
