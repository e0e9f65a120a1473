"""The memories of types and relations in their places, beside what each of them is alone."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from docre.joint import GlobalRelationHead, MultiInstanceRelationHead, SimilarityMemories
from docre.memory import (
    CosineSimilarity,
    DotProductSimilarity,
    FlatInputs,
    InverseRead,
    NormalRead,
    PaddedInputs,
)
from tests.joint.scenes import RELATIONS, TYPES, WIDTH
from tests.joint.test_heads import relation_input

MASK = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
DOCUMENT = torch.tensor([0, 0, 1, 1, 1, 1, 0, 2])


def build(std=0.5, **settings):
    torch.manual_seed(0)
    memories = SimilarityMemories(WIDTH, TYPES, RELATIONS, **settings)
    for parameter in memories.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return memories


def token_states():
    return torch.randn(2, 7, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("entity", "relation"), [(True, True), (True, False), (False, True)])
def test_reads_see_the_memories_that_are_on(entity, relation):
    """The factor of an input is the mean of one and the gates, by hand."""
    memories, states = build(entity=entity, relation=relation), token_states()
    found = memories.read_tokens(states, MASK)
    used = [m for m, on in ((memories.entity, entity), (memories.relation, relation)) if on]
    assert memories.read_memories() == used
    for row, count in enumerate((7, 4)):
        inputs = states[row, :count]
        factor = torch.ones(count)
        for memory, similarity in zip(used, memories.tokens.reads[0].similarities, strict=True):
            scores = inputs @ similarity.weight.T @ memory.matrix.T  # [N, S]
            factor = factor + scores.softmax(0).sum(1)
        expected = inputs * (factor / (1 + len(used))).unsqueeze(1)
        torch.testing.assert_close(found[row, :count], expected)
    assert torch.equal(
        memories.read_spans(states[0], *flat(7)),
        memories.mentions(states[0], [m.matrix for m in used], FlatInputs(*flat(7))),
    )


def flat(count):
    return torch.zeros(count, dtype=torch.long), 1


@pytest.mark.parametrize("reads", [(InverseRead,), (NormalRead,), (InverseRead, NormalRead)])
def test_no_memory_is_read(reads):
    """The published read with no memory on is its merge layer; the inverse one is nothing."""
    memories = build(entity=False, relation=False, tokens=reads)
    states = token_states()[:1]
    found = memories.read_tokens(states, MASK[:1])
    expected = states if NormalRead not in reads else memories.tokens.reads[-1].merge(states)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("which", ["entity", "relation"])
def test_a_normal_read_from_one_memory(which):
    other = {"entity": "relation", "relation": "entity"}[which]
    memories = build(mentions=[NormalRead], slot_features=(5, 9), **{other: False})
    (read,), memory = memories.mentions.reads, getattr(memories, which)
    states = torch.randn(len(DOCUMENT), WIDTH)
    weights = (states @ read.similarities[0].weight.T @ memory.matrix.T).softmax(1)
    expected = read.merge(torch.cat((states, weights @ memory.matrix), 1))
    torch.testing.assert_close(memories.read_spans(states, DOCUMENT, 3), expected)


@pytest.mark.parametrize("similarity", [DotProductSimilarity, partial(CosineSimilarity, scale=9.0)])
@pytest.mark.parametrize("reads", [InverseRead, NormalRead])
def test_one_similarity_for_classifying_and_reading(similarity, reads):
    memories = build(similarity=similarity, tokens=[reads], mentions=[reads])
    head = GlobalRelationHead(WIDTH, TYPES, RELATIONS)
    memories.serve(head)
    kind = type(similarity(4, 4))
    used = [memories.entity_head().similarity, head.output.similarity]
    for level in (memories.tokens, memories.mentions):
        used += list(level.reads[0].similarities)
    assert len(used) == 6
    assert all(type(one) is kind for one in used)
    assert all(one.scale == 9.0 for one in used if kind is CosineSimilarity)
    with pytest.raises(ValueError, match="slot_features"):
        build(similarity=similarity, slot_features=WIDTH + 1)


def test_counted_gates_keep_the_scale():
    memories = build(tokens=[partial(InverseRead, gate_norm="count")], std=0.1)
    states = torch.ones(2, 7, WIDTH)
    found = memories.read_tokens(states, MASK)
    torch.testing.assert_close(found[MASK], states[MASK])


@pytest.mark.parametrize("gradient", [True, False])
def test_reads_teach_memories_or_not(gradient):
    memories = build(read_gradient=gradient)
    memories.read_tokens(token_states(), MASK).square().sum().backward()
    memories.read_spans(token_states()[0], *flat(7)).square().sum().backward()
    for matrix in (memories.entity.matrix, memories.relation.matrix):
        assert (matrix.grad is not None and bool(matrix.grad.any())) == gradient
    assert all(one.weight.grad.any() for one in memories.tokens.reads[0].similarities)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("kind", [GlobalRelationHead, MultiInstanceRelationHead])
def test_a_relation_head_that_is_served(kind, slots):
    """Scores are those of the slots; types are the mean of theirs, and teach nothing."""
    _, given = relation_input(dtype=torch.float32)
    torch.manual_seed(0)
    memories = SimilarityMemories(12, 3, 4, slots=slots, slot_features=(5, 7))
    head = kind(12, 3, 4, dropout=0.0)
    memories.serve(head)
    for parameter in (*memories.parameters(), *head.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    assert not [name for name, _ in head.named_parameters() if "matrix" in name]
    states = head.pair_states(given)
    scores = states @ head.output.similarity.weight.T @ memories.relation.matrix.T
    of_class = scores.view(-1, 4, slots).exp().mean(2).log()
    torch.testing.assert_close(head(given), of_class)

    vectors = memories.entity.matrix.detach().view(3, slots, 5).mean(1)
    own = kind(12, 3, 4, type_features=5, dropout=0.0)
    weights = {k: v for k, v in head.state_dict().items() if not k.startswith("output")}
    weights["type_embedding.weight"] = vectors
    own.load_state_dict(weights, strict=False)
    torch.testing.assert_close(own.pair_states(given), states)
    head(given).sum().backward()
    assert memories.entity.matrix.grad is None
    assert memories.relation.matrix.grad.any()


def test_padding_may_hold_anything():
    memories, states = build(), token_states()
    other = torch.where(MASK.unsqueeze(2), states, torch.nan)
    found, again = (memories.read_tokens(each, MASK)[MASK] for each in (states, other))
    assert torch.equal(found, again)
    inputs = PaddedInputs(MASK)
    matrices = [m.matrix for m in memories.read_memories()]
    for gate in memories.tokens.reads[0].gates(inputs.clean(states), matrices, inputs):
        torch.testing.assert_close(gate.sum(1), torch.full((2,), float(gate_total(gate, memories))))


def gate_total(gate, memories):
    """Gates of a document add up to the number of slots, here one of two numbers."""
    total = float(gate.sum(1)[0].detach())
    return min((TYPES, RELATIONS), key=lambda count: abs(count - total))
