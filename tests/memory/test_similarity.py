"""Slots of classes and similarities, against loops and what follows from the formulas."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from docre.memory import (
    BilinearSimilarity,
    CosineSimilarity,
    DotProductSimilarity,
    Similarity,
    SimilarityClassifier,
    SimilarityMemory,
)

WIDTH, CLASSES = 6, 3
KINDS = [BilinearSimilarity, DotProductSimilarity, partial(CosineSimilarity, scale=5.0)]


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def build(kind, features=WIDTH, slot_features=WIDTH):
    made = kind(features, slot_features).double()
    for number, parameter in enumerate(made.parameters()):
        parameter.data = randn(*parameter.shape, seed=10 + number)
    return made


def naive(similarity, x, slot):
    """Similarity of one vector and one slot."""
    if isinstance(similarity, BilinearSimilarity):
        return sum(
            x[k] * similarity.weight[j, k] * slot[j]
            for k in range(len(x))
            for j in range(len(slot))
        )
    dot = sum(a * b for a, b in zip(x, slot, strict=True))
    if isinstance(similarity, DotProductSimilarity):
        return dot
    return similarity.scale * dot / (x.norm() * slot.norm())


@pytest.mark.parametrize("kind", KINDS)
def test_similarities_are_their_formulas(kind):
    similarity, states, matrix = build(kind), randn(2, 4, WIDTH), randn(5, WIDTH, seed=1)
    found = similarity(states, matrix).detach()
    similarity.requires_grad_(False)
    for b in range(2):
        for n in range(4):
            for i in range(5):
                wanted = naive(similarity, states[b, n], matrix[i])
                assert float(found[b, n, i]) == pytest.approx(float(wanted), abs=1e-10)


def test_bilinear_between_widths():
    similarity = build(BilinearSimilarity, 4, 7)
    assert similarity.weight.shape == (7, 4)
    found = similarity(randn(3, 4), randn(5, 7, seed=1))
    wanted = randn(3, 4) @ similarity.weight.T @ randn(5, 7, seed=1).T
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", [DotProductSimilarity, CosineSimilarity])
def test_without_a_matrix_widths_are_the_same(kind):
    assert kind(4).slot_features == 4
    with pytest.raises(ValueError, match=r"slot_features: .* 4 and 7"):
        kind(4, 7)


def test_cosine_of_zero_is_zero_with_a_finite_gradient():
    states = torch.zeros(1, WIDTH, requires_grad=True)
    matrix = torch.zeros(2, WIDTH, requires_grad=True)
    scores = CosineSimilarity(WIDTH)(states, matrix)
    assert not scores.any()
    scores.sum().backward()
    assert torch.isfinite(states.grad).all()
    assert torch.isfinite(matrix.grad).all()


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_classifier_is_its_formula(kind, slots):
    memory = SimilarityMemory(CLASSES, WIDTH, slots=slots).double()
    memory.matrix.data = randn(CLASSES * slots, WIDTH, seed=1)
    classify = SimilarityClassifier(WIDTH, similarity=kind).double()
    classify.similarity = build(kind)
    states = randn(4, WIDTH)
    found = classify(states, memory).detach()
    for n in range(4):
        for c in range(CLASSES):
            of_class = [
                float(naive(classify.similarity, states[n], memory.matrix[c * slots + k]).detach())
                for k in range(slots)
            ]
            wanted = math.log(sum(map(math.exp, of_class)) / slots)
            assert float(found[n, c]) == pytest.approx(wanted, abs=1e-10)


def test_more_slots_alone_change_nothing():
    one, three = SimilarityMemory(CLASSES, WIDTH), SimilarityMemory(CLASSES, WIDTH, slots=3)
    three.matrix.data = one.matrix.data.repeat_interleave(3, 0)
    classify, states = SimilarityClassifier(WIDTH), torch.randn(4, WIDTH)
    torch.testing.assert_close(classify(states, three), classify(states, one))
    index = torch.tensor([[2, 0], [1, 1]])
    torch.testing.assert_close(three.lookup(index), one.matrix[index])


def test_lookup_gives_no_gradient():
    memory = SimilarityMemory(CLASSES, WIDTH)
    found = memory.lookup(torch.tensor([2, 0]))
    assert torch.equal(found, memory.matrix[[2, 0]])
    assert not found.requires_grad
    assert memory.lookup(torch.zeros(0, 2, dtype=torch.long)).shape == (0, 2, WIDTH)


def test_writing_is_the_gradient_of_the_loss():
    """Each slot moves along ``W x``, by how wrong the probability of its class is."""
    memory = SimilarityMemory(CLASSES, 4).double()
    classify = SimilarityClassifier(WIDTH, 4).double()
    states, labels = randn(5, WIDTH), (randn(5, CLASSES, seed=3) > 0).double()
    logits = classify(states, memory)
    functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum").backward()
    wrong = logits.detach().sigmoid() - labels
    wanted = wrong.T @ (states @ classify.similarity.weight.detach().T)
    torch.testing.assert_close(memory.matrix.grad, wanted)


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_by_differences(kind, slots):
    memory, similarity = SimilarityMemory(CLASSES, WIDTH, slots=slots), build(kind)

    def scores(states, matrix, *weights):
        names = [name for name, _ in similarity.named_parameters()]
        named = dict(zip(names, weights, strict=True))
        return memory.of_classes(torch.func.functional_call(similarity, named, (states, matrix)))

    weights = [value.detach().requires_grad_() for value in similarity.parameters()]
    states = randn(2, WIDTH).requires_grad_()
    matrix = randn(CLASSES * slots, WIDTH, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(scores, (states, matrix, *weights))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision(kind, dtype):
    torch.manual_seed(0)
    memory, classify = SimilarityMemory(96, 32, slots=2), SimilarityClassifier(32, similarity=kind)
    states = torch.randn(8, 32)
    exact = classify(states, memory)
    with torch.autocast("cpu", dtype):
        half = classify(states.to(dtype), memory)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=0.05, rtol=0.05)
    half.sum().backward()
    assert torch.isfinite(memory.matrix.grad).all()
    pure = classify.to(dtype)(states.to(dtype), memory.to(dtype))
    assert pure.dtype == torch.float32
    torch.testing.assert_close(pure, exact, atol=0.05, rtol=0.05)


def test_large_scores_stay_finite():
    memory = SimilarityMemory(2, 1, slots=2)
    scores = torch.tensor([[1e4, -1e4, -1e4, -1e4]], requires_grad=True)
    found = memory.of_classes(scores)
    torch.testing.assert_close(found, torch.tensor([[1e4 - math.log(2), -1e4]]))
    found.sum().backward()
    torch.testing.assert_close(scores.grad, torch.tensor([[1.0, 0.0, 0.5, 0.5]]), atol=1e-3, rtol=0)


def test_initialisation():
    torch.manual_seed(0)
    memory = SimilarityMemory(96, 256)
    assert memory.matrix.std().item() == pytest.approx(0.02, rel=0.02)
    assert SimilarityMemory(9, 512, std=1.0).matrix.std().item() == pytest.approx(1, rel=0.05)
    assert BilinearSimilarity(256, 128).weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert (memory.classes, memory.features, memory.slots) == (96, 256, 1)
    assert "classes=96, features=256, slots=1" in repr(memory)
    assert list(memory.state_dict()) == ["matrix"]


@pytest.mark.parametrize(("name", "given"), [("classes", {"classes": 0}), ("slots", {"slots": 0})])
def test_an_empty_memory_is_refused(name, given):
    with pytest.raises(ValueError, match=f"{name}: 0"):
        SimilarityMemory(**{"classes": 2, "features": 3, **given})


def test_a_similarity_of_ones_own():
    class Distance(Similarity):
        def forward(self, states, matrix):
            return -torch.cdist(states, matrix)

    found = SimilarityClassifier(2, similarity=Distance)(torch.zeros(1, 2), SimilarityMemory(4, 2))
    assert found.shape == (1, 4)
    with pytest.raises(TypeError, match="abstract"):
        Similarity(3)
