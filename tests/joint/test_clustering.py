"""Clusters, beside the library that published systems use, and beside what they promise."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.joint import clusters


def by_definition(similarity, threshold):
    """Merge the two closest clusters again and again, looking at all pairs of members."""
    distance = (1 - similarity).double().numpy()
    found = [[mention] for mention in range(len(distance))]

    def apart(one, other):
        return max(distance[min(a, b), max(a, b)] for a in one for b in other)

    while len(found) > 1:
        height, one, other = min(
            (apart(one, other), one, other) for one, other in combinations(found, 2)
        )
        if not height < 1 - threshold:
            break
        found = [each for each in found if each not in (one, other)] + [one + other]
    return sorted(sorted(cluster) for cluster in found)


@given(st.integers(0, 12), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_as_defined_where_no_distances_are_equal(count, dtype, seed):
    torch.manual_seed(seed)
    ranks = torch.randperm(count * count).view(count, count)
    similarity = (ranks.to(dtype) + 0.5) / max(count * count, 1)
    for threshold in (0.3, 0.5, 0.85):
        assert clusters(similarity, threshold) == by_definition(similarity, threshold)


@given(st.integers(2, 25), st.integers(2, 5), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_with_ties_nothing_is_left_to_merge(count, levels, seed):
    """Which of equals merge is pinned by the published cases; here is what holds in any order."""
    torch.manual_seed(seed)
    similarity = torch.randint(levels + 1, (count, count)) / levels
    for threshold in (0.3, 0.5, 0.85):
        found = clusters(similarity, threshold)
        assert sorted(mention for cluster in found for mention in cluster) == list(range(count))
        # float32 distances in float64, as they are compared
        close = (1 - similarity).double() < 1 - threshold
        close = close.triu(1) | close.triu(1).T | torch.eye(count, dtype=torch.bool)
        assert all(bool(close[cluster][:, cluster].all()) for cluster in found)
        assert not any(bool(close[a][:, b].all()) for a, b in combinations(found, 2))


def test_many_mentions():
    torch.manual_seed(0)
    block = torch.randint(60, (300,))
    similarity = (block[:, None] == block).float() * 0.5 + 0.5 * torch.rand(300, 300)
    found = clusters(similarity, 0.6)
    assert sorted(mention for cluster in found for mention in cluster) == list(range(300))
    assert 1 < len(found) < 300
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
