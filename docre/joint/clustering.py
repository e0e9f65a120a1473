"""From scores of mention pairs to entities: agglomerative clustering with complete linkage."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def clusters(similarity: Tensor, threshold: float) -> list[list[int]]:
    """Cluster mentions so that within a cluster all pairs are similar enough.

    Two clusters merge while the largest of the distances between their members, ``1 - similarity``
    in the precision given, is strictly below ``1 - threshold``, the closest first. Only the upper
    triangle is read. Where several distances are equal, the partition may depend on the order in
    which clusters merge, which is that of scipy, as in published systems.

    Args:
        similarity: Row: the earlier mention of a pair, column: the later one.  # [M, M]
        threshold: What the similarity of all pairs in a cluster must reach.

    Returns:
        Mentions of each cluster, ascending; clusters by their first mention. A mention that merges
        with no other is a cluster of its own.

    Raises:
        ValueError: If the matrix is not square, or a number above the diagonal is not finite.
    """
    members = {mention: [mention] for mention in range(len(similarity))}
    for one, other, height in merges(similarity):
        # heights never fall towards the root: what has been left apart is not touched again
        if height < 1 - threshold:
            members[other] += members.pop(one)
    return sorted(sorted(cluster) for cluster in members.values())


def merges(similarity: Tensor) -> list[tuple[int, int, float]]:
    """Return all merges down to one cluster, the closest first, whatever the threshold.

    Args:
        similarity: As :func:`clusters` takes it.  # [M, M]

    Returns:
        Two places and the distance of the clusters there; their union has the later place.

    Raises:
        ValueError: As :func:`clusters` does.
    """
    count = len(similarity)
    if similarity.shape != (count, count):
        raise ValueError(f"similarity is [M, M], not {list(similarity.shape)}")
    if similarity.dtype != torch.float64:
        similarity = similarity.float()
    distance = (1 - similarity.detach()).double().cpu().numpy()
    apart = distance[np.triu_indices(count, 1)]
    if not np.isfinite(apart).all():
        raise ValueError("similarity has numbers that are not finite")
    if count < 2:
        return []
    # the heads do without this package, so it is not asked for where they are imported
    from scipy.cluster.hierarchy import linkage  # type: ignore[import-untyped]

    place = list(range(count))  # of each cluster, those made by merging behind the mentions
    found = []
    for first, second, height, _ in linkage(apart, "complete").tolist():
        one, other = sorted((place[int(first)], place[int(second)]))
        place.append(other)
        found.append((one, other, height))
    return found
