"""Axial attention against a loop over cells."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from docre.grids import with_all_cells
from docre.heads import PairHead, RefinedClassifier
from docre.outputs import Encoded, PairContext, Scene
from docre.refinement import AxialTransformer
from tests.batches import make_batch

WIDTH, HEADS = 8, 2


def batch(*entities, pairs=None):
    return make_batch(
        [[1] * 9] * len(entities),
        [[[1 + e % 8] for e in range(count)] for count in entities],
        pairs,
    )


def scene_of(made):
    whole = with_all_cells(made).batch
    none = torch.zeros(0, 1, dtype=torch.float64)
    states = torch.zeros(len(made), made.num_tokens, 1, dtype=torch.float64)
    encoded = Encoded(states, none)
    return Scene(encoded, PairContext(none), whole, (none, none))


def features_of(scene, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(scene.batch.num_pairs, WIDTH, dtype=torch.float64, generator=generator)


def attend(query, keys, values):
    """One cell attends to the cells of its line, head by head."""
    size = WIDTH // HEADS
    found = []
    for h in range(HEADS):
        part = slice(h * size, (h + 1) * size)
        scores = torch.stack([query[part] @ key[part] for key in keys]) / size**0.5
        weights = scores.softmax(0)
        found.append(sum(w * value[part] for w, value in zip(weights, values, strict=True)))
    return torch.cat(found)


def by_hand(layer, cells, pairs, documents):
    """The same layer, cell by cell."""
    projected = [layer.project.weight @ cell for cell in cells]
    parts = [p.split(WIDTH) for p in projected]
    new = []
    for c, (head, tail) in enumerate(pairs):
        row = [k for k, p in enumerate(pairs) if documents[k] == documents[c] and p[0] == head]
        column = [k for k, p in enumerate(pairs) if documents[k] == documents[c] and p[1] == tail]
        along_row = attend(parts[c][0], [parts[k][1] for k in row], [parts[k][2] for k in row])
        along_column = attend(
            parts[c][3], [parts[k][4] for k in column], [parts[k][5] for k in column]
        )
        both = layer.merge(torch.cat([along_row, along_column]))
        new.append(layer.norm(layer.linear(cells[c] + both)))
    return torch.stack(new)


@pytest.mark.parametrize("entities", [(3,), (2, 4), (3, 3, 2), (4, 1, 2)])
def test_axial_attention_is_a_loop_over_cells(entities):
    torch.manual_seed(0)
    axial = AxialTransformer(WIDTH, 1, layers=2, attention_heads=HEADS).double()
    scene = scene_of(batch(*entities))
    features = features_of(scene)
    made = scene.batch
    pairs = list(zip(made.pair_head.tolist(), made.pair_tail.tolist(), strict=True))
    expected = features
    for layer in axial.layers:
        expected = by_hand(layer, expected, pairs, made.pair_doc.tolist())
    torch.testing.assert_close(axial(features, scene), features + expected)


def test_a_pair_sees_its_row_and_its_column_and_with_two_layers_everything():
    torch.manual_seed(0)
    scene = scene_of(batch(4, 3))
    features = features_of(scene).requires_grad_()
    for layers, seen in ((1, 7), (2, 16)):
        axial = AxialTransformer(WIDTH, 1, layers=layers, attention_heads=HEADS).double()
        # weights that the norm does not take to zero
        weights = torch.randn(WIDTH, dtype=torch.float64)
        (gradient,) = torch.autograd.grad((axial(features, scene)[6] * weights).sum(), features)
        assert (gradient.abs().sum(1) > 1e-12).sum() == seen


def test_documents_are_on_their_own():
    torch.manual_seed(0)
    axial = AxialTransformer(WIDTH, 1, attention_heads=HEADS).double()
    both, first = scene_of(batch(4, 3)), scene_of(batch(4))
    features = features_of(both)
    torch.testing.assert_close(axial(features, both)[:16], axial(features[:16], first))


@pytest.mark.parametrize("padding", ["none", "published"])
def test_no_pairs_at_all(padding):
    """Every parameter has a gradient all the same: plain DDP stops otherwise."""
    axial = AxialTransformer(WIDTH, 1, attention_heads=HEADS, padding=padding).double()
    scene = scene_of(batch(1, 0))
    refined = axial(features_of(scene), scene)
    assert refined.shape == (0, WIDTH)
    refined.sum().backward()
    assert [name for name, p in axial.named_parameters() if p.grad is None] == []


def test_an_empty_cell_has_the_type_of_the_others():
    """Where automatic precision does not mend it, as with index_copy on a GPU."""
    axial = AxialTransformer(WIDTH, 1, layers=0, attention_heads=HEADS, padding="published").eval()
    scene = scene_of(batch(3))
    features = features_of(scene).bfloat16()
    assert axial(features, scene, torch.zeros(WIDTH)).dtype == torch.bfloat16


def test_cells_of_another_batch_are_refused():
    axial = AxialTransformer(WIDTH, 1, attention_heads=HEADS).double()
    with pytest.raises(ValueError, match="16 cells are not those of grids"):
        axial(features_of(scene_of(batch(4))), scene_of(batch(3)))


def head_of(**options):
    torch.manual_seed(0)
    axial = partial(AxialTransformer, layers=1, attention_heads=HEADS, **options)
    classifier = partial(RefinedClassifier, features=WIDTH, block_size=4, refinements=[axial])
    return PairHead(6, 3, classifier=classifier, width=8).double()


def encoded_of(made):
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(len(made), made.num_tokens, 6, dtype=torch.float64, generator=generator)
    rows = torch.rand(
        len(made.mention_token), 2, made.num_tokens, dtype=torch.float64, generator=generator
    )
    return Encoded(states, rows / rows.sum(-1, keepdim=True))


def test_typed_pairs_get_what_all_pairs_get():
    head = head_of()
    every, some = batch(4, 3), batch(4, 3, pairs=[[(0, 1), (2, 0)], [(1, 2)]])
    encoded = encoded_of(every)
    logits = head(encoded, every).logits
    chosen = [0, 6, 12 + 3]
    torch.testing.assert_close(head(encoded, some).logits, logits[chosen])


def test_published_padding_has_room_for_42():
    assert head_of(padding="published")(encoded_of(batch(42)), batch(42)).logits.shape[0] == 42 * 41
    with pytest.raises(ValueError, match="42 entities, document 'document 0' has 43"):
        head_of(padding="published")(encoded_of(batch(43)), batch(43))


def test_any_number_of_entities():
    made = batch(60)
    assert head_of()(encoded_of(made), made).logits.isfinite().all()


@pytest.mark.parametrize("padding", ["none", "published"])
def test_every_parameter_has_a_gradient(padding):
    head = head_of(padding=padding)
    made = batch(4, 3)
    output = head(encoded_of(made), made)
    output.logits.square().sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    axial = AxialTransformer(4, 1, layers=1, attention_heads=2).double()
    scene = scene_of(batch(3, 2))
    features = torch.randn(13, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: axial(x, scene), features)


def test_half_precision():
    head = head_of().float()
    made = batch(5, 3)
    encoded = encoded_of(made)
    encoded = Encoded(encoded.token_states.float(), encoded.mention_attention.float())
    with torch.autocast("cpu", torch.bfloat16):
        logits = head(encoded, made).logits
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    torch.testing.assert_close(logits, head(encoded, made).logits, atol=0.1, rtol=0.1)


def test_settings_that_cannot_be():
    with pytest.raises(ValueError, match="3 attention heads do not divide the width 8"):
        AxialTransformer(8, 1, attention_heads=3)
