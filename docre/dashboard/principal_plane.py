"""The first two principal components of vectors."""

from __future__ import annotations

import torch
from torch import Tensor


def principal_plane(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Return vectors on their first two principal components, without drawing random numbers.

    The sign of a component is chosen so that its largest entry is positive: a picture is not
    turned over from one epoch to the next for nothing.

    Args:
        vectors: # [N, D]

    Returns:
        Coordinates, and the share of the variance along each.  # [N, 2], [2]
    """
    centred = vectors.double() - vectors.double().mean(0)
    left, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
    largest = directions.abs().argmax(1, keepdim=True)
    signs = directions.gather(1, largest).sign().squeeze(1)  # [K]
    kept = min(2, len(sizes))
    plane = vectors.new_zeros(len(vectors), 2, dtype=torch.float64)
    plane[:, :kept] = (left * (sizes * signs))[:, :kept]
    shares = torch.zeros(2, dtype=torch.float64)
    shares[:kept] = (sizes.square() / sizes.square().sum().clamp(min=1e-300))[:kept]
    return plane, shares
