"""Projection and classes against the products written out."""

from __future__ import annotations

import pytest
import torch

from docre.heads import RefinedClassifier
from docre.outputs import Encoded, PairContext, Scene
from docre.refinement import Refinement
from tests.batches import make_batch


def scene_of(pairs):
    made = make_batch([[1] * 5], [[[1], [2], [3]]], [pairs])
    none = torch.zeros(0)
    return Scene(Encoded(none, none), PairContext(none), made, (none, none))


def test_it_is_the_wide_layer_then_a_linear_one():
    torch.manual_seed(0)
    classifier = RefinedClassifier(8, 3, features=5, block_size=4).double()
    head, tail = torch.randn(2, 4, 8, dtype=torch.float64).tanh()
    scene = scene_of([(0, 1), (1, 1), (2, 0), (1, 2)])
    products = torch.cat(
        [
            (head[:, g : g + 4].unsqueeze(2) * tail[:, g : g + 4].unsqueeze(1)).flatten(1)
            for g in (0, 4)
        ],
        1,
    )
    expected = classifier.output(products @ classifier.projection.t())
    expected[1] = 0  # an entity with itself
    torch.testing.assert_close(classifier(head, tail, scene), expected)


class AddOne(Refinement):
    """Needs a grid and knows the width of the tokens."""

    needs_grid = True

    def forward(self, features, scene, blank=None):
        assert (self.width, self.in_features) == (5, 7)
        return features + 1


def test_refinements_stand_between():
    torch.manual_seed(0)
    classifier = RefinedClassifier(8, 3, 7, features=5, block_size=4, refinements=[AddOne, AddOne])
    assert classifier.needs_grid
    head, tail = torch.randn(2, 2, 8).tanh()
    scene = scene_of([(0, 1), (2, 0)])
    logits = classifier(head, tail, scene)
    classifier.refinements = torch.nn.ModuleList()
    added = classifier.output.weight.sum(1) * 2
    torch.testing.assert_close(logits, classifier(head, tail, scene) + added)


def test_settings_that_cannot_be():
    with pytest.raises(ValueError, match="block_size 3 does not divide the width 8"):
        RefinedClassifier(8, 3, block_size=3)


def test_its_width_is_that_of_head_and_tail_if_nothing_is_said():
    assert RefinedClassifier(8, 3, block_size=4).output.in_features == 8
