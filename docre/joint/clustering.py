"""From scores of mention pairs to entities: agglomerative clustering with complete linkage."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def clusters(similarity: Tensor, threshold: float) -> list[list[int]]:
    """Cluster mentions so that within a cluster all pairs are similar enough.

    Two clusters merge while the largest of the distances between their members, ``1 - similarity``
    in the precision given, is strictly below ``1 - threshold``, the closest first. Only the upper
    triangle is read. Where several distances are equal, the partition may depend on the order in
    which clusters merge. That order is here, as in scipy, that of the nearest-neighbour chain
    algorithm (Müllner, 2011): a chain starts at the first cluster left, goes to the nearest one,
    the previous in the chain before the first of equals, and a merged cluster takes the later of
    two places. The loop is our own, as scipy is not among the requirements, and takes time
    proportional to the square of the number of mentions.

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
    """Return all merges down to one cluster, whatever the threshold.

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
    distance = (1 - similarity.detach()).triu(1).double().cpu().numpy()
    if not np.isfinite(distance).all():
        raise ValueError("similarity has numbers that are not finite")
    distance += distance.T
    np.fill_diagonal(distance, np.inf)
    return _chained(distance)


def _chained(distance: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Return the merges of a matrix of distances.

    Args:
        distance: Symmetric, infinite on the diagonal; it is overwritten.  # [M, M]
    """
    found: list[tuple[int, int, float]] = []
    left = list(range(len(distance)))
    chain: list[int] = []
    while len(left) > 1:
        if not chain:
            chain.append(left[0])
        while True:
            row = distance[chain[-1]]
            nearest = int(row.argmin())
            if len(chain) > 1 and row[chain[-2]] <= row[nearest]:
                break
            chain.append(nearest)
        one, other = sorted((chain.pop(), chain.pop()))
        found.append((one, other, float(distance[one, other])))
        farther = np.maximum(distance[one], distance[other])
        distance[other] = distance[:, other] = farther
        distance[one] = distance[:, one] = np.inf
        left.remove(one)
    return found
