"""How many true triples stand behind a labelled one, from a sample that was labelled completely.

Some documents of a corpus with missing labels are labelled again. How many more triples are found
then says by what the labelled priors have to be multiplied. Only training documents may be used: a
multiple that comes from test documents is tuned on test.
"""

from __future__ import annotations

import torch
from torch import Tensor


def estimate_multiple(labelled_counts: Tensor, true_counts: Tensor) -> float:
    """Return ``e``, one multiple for all relations: all true triples over all labelled ones.

    Args:
        labelled_counts: Triples of each relation with the incomplete labels of the sample.  # [R]
        true_counts: Triples of each relation with the complete labels of the same documents.  # [R]

    Raises:
        ValueError: If nothing is labelled.
    """
    labelled, true = _same_relations(labelled_counts, true_counts)
    if labelled.sum() == 0:
        raise ValueError("labelled_counts are all 0: the sample says nothing about the multiple")
    return float(true.sum() / labelled.sum())


def estimate_multiples(
    labelled_counts: Tensor, true_counts: Tensor, strength: float = 20.0
) -> Tensor:
    """Return a multiple for each relation, rare ones drawn towards that of all.

    ``e_r = (true_r + strength e) / (labelled_r + strength)``: the posterior mean of ``e_r`` if
    ``true_r`` is Poisson with the mean ``e_r labelled_r`` and ``e_r`` is Gamma with the mean ``e``.

    Args:
        labelled_counts: As for :func:`estimate_multiple`.  # [R]
        true_counts: As for :func:`estimate_multiple`.  # [R]
        strength: How many labelled triples the prior belief is worth; 0 takes the bare ratios.

    Returns:
        Multiples, float64.  # [R]
    """
    overall = estimate_multiple(labelled_counts, true_counts)
    labelled, true = _same_relations(labelled_counts, true_counts)
    unseen = labelled + strength == 0
    ratio = (true + strength * overall) / (labelled + strength).where(~unseen, torch.tensor(1.0))
    return torch.where(unseen, overall, ratio)


def estimate_true_priors(
    priors: Tensor, labelled_counts: Tensor, true_counts: Tensor, strength: float = 20.0
) -> list[float]:
    """Return ``true_priors`` for the positive-unlabelled loss: labelled priors times multiples.

    A relation is never thought to hold for more than half of the pairs: a corpus lists far more
    pairs than triples, so a larger product only says that the sample is too small.

    Args:
        priors: Share of the training pairs labelled with each relation.  # [R]
        labelled_counts: As for :func:`estimate_multiple`.  # [R]
        true_counts: As for :func:`estimate_multiple`.  # [R]
        strength: As for :func:`estimate_multiples`.

    Returns:
        One number per relation, to be written into a configuration.
    """
    multiples = estimate_multiples(labelled_counts, true_counts, strength)
    return (priors.double() * multiples).clamp(max=0.5).tolist()


def _same_relations(labelled_counts: Tensor, true_counts: Tensor) -> tuple[Tensor, Tensor]:
    if labelled_counts.shape != true_counts.shape or labelled_counts.ndim != 1:
        shapes = f"{tuple(labelled_counts.shape)} and {tuple(true_counts.shape)}"
        raise ValueError(f"labelled_counts and true_counts are [R] both, not {shapes}")
    return labelled_counts.double(), true_counts.double()
