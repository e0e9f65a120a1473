"""Clusters, beside the library that published systems use, and beside what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.joint import clusters


def by_scipy(similarity, threshold):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    distance = (1 - similarity).numpy()
    upper = distance[np.triu_indices(len(distance), 1)]
    tree = hierarchy.linkage(upper, "complete")
    # scipy cuts at distances that are not above a limit, so the limit is the number before it
    labels = hierarchy.fcluster(tree, np.nextafter(1 - threshold, -1), "distance")
    found = {}
    for mention, label in enumerate(labels):
        found.setdefault(label, []).append(mention)
    return sorted(found.values())


@given(
    st.integers(2, 25),
    st.sampled_from([2, 3, 5, 1000]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 10**6),
)
@settings(max_examples=300, deadline=None)
def test_as_the_library_with_and_without_ties(count, levels, dtype, seed):
    torch.manual_seed(seed)
    similarity = torch.randint(levels + 1, (count, count)).to(dtype) / levels
    for threshold in (0.3, 0.5, 0.85):
        assert clusters(similarity, threshold) == by_scipy(similarity, threshold)


def test_many_mentions():
    torch.manual_seed(0)
    block = torch.randint(60, (300,))
    similarity = (block[:, None] == block).float() * 0.5 + 0.5 * torch.rand(300, 300)
    found = clusters(similarity, 0.6)
    assert sorted(mention for cluster in found for mention in cluster) == list(range(300))
    assert 1 < len(found) < 300
    assert found == by_scipy(similarity, 0.6)
    for cluster in found:  # complete linkage: every pair of a cluster is similar enough
        pairs = similarity[cluster][:, cluster].triu(1)
        assert bool((pairs[pairs > 0] > 0.6).all())


def test_no_mention_and_one():
    assert clusters(torch.zeros(0, 0), 0.85) == []
    assert clusters(torch.zeros(1, 1), 0.85) == [[0]]


def test_only_the_upper_triangle_is_read():
    upper = torch.tensor([[1, 0.9], [0, 1]])
    assert clusters(upper, 0.85) == [[0, 1]]
    assert clusters(upper.T, 0.85) == [[0], [1]]
    assert clusters(torch.tensor([[torch.nan, 0.9], [torch.nan, torch.nan]]), 0.85) == [[0, 1]]


@pytest.mark.parametrize(("score", "threshold", "merged"), [(0.5, 0.5, False), (0.85, 0.85, True)])
def test_on_the_threshold(score, threshold, merged):
    """The distance must be strictly below ``1 - threshold``, which rounding puts above 0.15."""
    found = clusters(torch.tensor([[1, score], [0, 1]]), threshold)
    assert found == ([[0, 1]] if merged else [[0], [1]])


def test_one_step_below_the_threshold():
    below = torch.nextafter(torch.tensor(0.85), torch.tensor(0.0))
    assert clusters(torch.stack((below, below)).repeat(2, 1), 0.85) == [[0], [1]]


def test_complete_linkage_does_not_chain():
    similarity = torch.tensor([[1, 0.95, 0.1], [0, 1, 0.9], [0, 0, 1]])
    assert clusters(similarity, 0.5) == [[0, 1], [2]]


def test_what_cannot_be_clustered_is_refused():
    with pytest.raises(ValueError, match=r"\[M, M\], not \[2, 3\]"):
        clusters(torch.zeros(2, 3), 0.5)
    with pytest.raises(ValueError, match="not finite"):
        clusters(torch.tensor([[1, torch.nan], [0, 1]]), 0.5)
