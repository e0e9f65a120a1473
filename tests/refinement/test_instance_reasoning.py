"""Instance reasoning against a loop over pairs and tokens."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from docre.heads import PairHead, RefinedClassifier
from docre.outputs import AttentionMaps, Encoded, PairContext, Scene
from docre.refinement import AxialTransformer, InstanceReasoning
from tests.batches import make_batch

F, D = 6, 5


@pytest.fixture
def scene():
    """Two documents of different length; pairs share maps with their reverse."""
    torch.manual_seed(3)
    made = make_batch([[1] * 7, [1] * 4], [[[1], [3], [5]], [[1], [2]]])
    states = torch.randn(2, 7, D, dtype=torch.float64)
    maps = torch.rand(4, 7, dtype=torch.float64) * torch.rand(4, 7).gt(0.3)
    maps[3, 4:] = 0
    index = torch.tensor([0, 1, 0, 2, 1, 2, 3, 3])
    context = PairContext(torch.zeros(4, 1), index, AttentionMaps(maps, index))
    none = torch.zeros(0)
    return Scene(Encoded(states, none), context, made, (none, none))


def reasoning():
    torch.manual_seed(0)
    made = InstanceReasoning(F, D).double()
    torch.nn.init.normal_(made.value.weight)  # it begins at zero
    return made


def test_it_is_a_loop_over_pairs_and_tokens(scene):
    made, batch = reasoning(), scene.batch
    features = torch.randn(batch.num_pairs, F, dtype=torch.float64)
    expected = []
    for p in range(batch.num_pairs):
        document = int(batch.pair_doc[p])
        tokens = scene.encoded.token_states[document, : batch.sizes.tokens[document]]
        prior = scene.context.attention.of(torch.tensor([p]))[0]
        scores = torch.stack(
            [
                (made.query.weight @ features[p]) @ (made.key.weight @ token) / F**0.5
                + torch.log(prior[t] + 1e-6)
                for t, token in enumerate(tokens)
            ]
        )
        seen = sum(
            w * (made.value.weight @ token)
            for w, token in zip(scores.softmax(0), tokens, strict=True)
        )
        gate = torch.sigmoid(made.gate(torch.cat([features[p], seen])))
        expected.append(made.norm(features[p] + gate * seen))
    torch.testing.assert_close(made(features, scene), torch.stack(expected))


def test_it_begins_with_what_the_base_says(scene):
    made = InstanceReasoning(F, D).double()
    features = torch.randn(scene.batch.num_pairs, F, dtype=torch.float64)
    torch.testing.assert_close(made(features, scene), made.norm(features))


def test_gradients_are_those_of_finite_differences(scene):
    made = reasoning()
    features = torch.randn(scene.batch.num_pairs, F, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: made(x, scene), features)


def test_the_attention_of_the_pair_matters(scene):
    """Where the prior says nothing is, hardly anything is seen; and it gets a gradient."""
    made = reasoning()
    maps = scene.context.attention.maps.clone().requires_grad_()
    index = scene.context.index
    changed = PairContext(scene.context.states, index, AttentionMaps(maps, index))
    features = torch.randn(scene.batch.num_pairs, F, dtype=torch.float64)
    other = Scene(scene.encoded, changed, scene.batch, scene.blank)
    made(features, other).pow(3).sum().backward()
    assert (maps.grad[:3].abs() > 0).any()
    assert not maps.grad[3, 4:].any()  # behind the end of the second document


def test_a_context_that_does_not_come_from_tokens(scene):
    blind = Scene(scene.encoded, PairContext(scene.context.states), scene.batch, scene.blank)
    with pytest.raises(ValueError, match="comes from tokens"):
        reasoning()(torch.zeros(scene.batch.num_pairs, F, dtype=torch.float64), blind)


@pytest.mark.parametrize("full", [False, True])
def test_in_a_head_documents_are_on_their_own(full):
    torch.manual_seed(0)
    refinements = [InstanceReasoning]
    if full:
        refinements.append(partial(AxialTransformer, layers=1, attention_heads=2))
    classifier = partial(RefinedClassifier, features=F, block_size=4, refinements=refinements)
    head = PairHead(D, 3, classifier=classifier, width=8).double()
    head.classifier.refinements[0].value.weight.data.normal_()
    both = make_batch([[1] * 7, [1] * 4], [[[1], [3], [5]], [[1], [2]]])
    first = make_batch([[1] * 7], [[[1], [3], [5]]])
    states = torch.randn(2, 7, D, dtype=torch.float64)
    rows = torch.rand(5, 2, 7, dtype=torch.float64)
    rows[3:, :, 4:] = 0
    logits = head(Encoded(states, rows), both).logits
    alone = head(Encoded(states[:1], rows[:3]), first).logits
    torch.testing.assert_close(logits[:6], alone)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in head.parameters())


def test_no_pairs(scene):
    made = make_batch([[1] * 4], [[[1]]])
    empty = torch.zeros(0, 4, dtype=torch.float64)
    none = PairContext(torch.zeros(0, 1), None, AttentionMaps(empty))
    alone = Scene(Encoded(scene.encoded.token_states[:1, :4], empty), none, made, scene.blank)
    assert reasoning()(torch.zeros(0, F, dtype=torch.float64), alone).shape == (0, F)
