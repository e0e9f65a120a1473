"""Adaptive thresholding: column 0 is a threshold that every pair learns for itself.

Reference: Zhou et al. 2021 (ATLOP), equations 9 to 11. Its code writes zeros into column 0 of the
labels it is given; here the column is left out, and the caller's tensor stays as it was.
"""

from __future__ import annotations

import torch
from torch import Tensor

from docre.losses.base import Loss, LossParts, logits_and_labels
from docre.outputs import HeadOutput, Targets


def adaptive_threshold(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far the positives are from above, and the negatives from below the threshold.

    With ``L`` the labelled relations of a pair, ``U`` the others and ``0`` the threshold::

        positive = - sum_{r in L} log( exp l_r / sum_{c in L + 0} exp l_c )
        negative = -             log( exp l_0 / sum_{c in U + 0} exp l_c )

    The labelled relations of a pair compete with each other, too.

    Args:
        logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        labels: Mask of the labelled relations; column 0 does not matter.  # [P, 1 + R]

    Returns:
        Positive and negative part.  # [P], [P]
    """
    threshold, scores, labelled = logits[:, :1], logits[:, 1:], labels[:, 1:].bool()
    above = _with_threshold(threshold, scores, labelled)  # [P]
    short = torch.where(labelled, above.unsqueeze(1) - scores, 0)
    return short.sum(1), below_threshold(logits, labels)


def below_threshold(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the negative part of :func:`adaptive_threshold`, [P]."""
    threshold, scores, labelled = logits[:, :1], logits[:, 1:], labels[:, 1:].bool()
    return _with_threshold(threshold, scores, ~labelled) - threshold.squeeze(1)


def _with_threshold(threshold: Tensor, scores: Tensor, among: Tensor) -> Tensor:
    """Return the logsumexp of some scores of each row and its threshold, [P]."""
    # the threshold is always in it, so no row is -inf throughout, which would have no gradient
    kept = torch.cat([threshold, scores.masked_fill(~among, -torch.inf)], 1)  # [P, 1 + R]
    return kept.logsumexp(1)


class AdaptiveThresholdLoss(Loss):
    """Mean over pairs of :func:`adaptive_threshold`; its two parts are ``positive``, ``negative``.

    The arguments are those of :class:`Loss`; priors are not needed.
    """

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the parts."""
        positive, negative = adaptive_threshold(*logits_and_labels(output, targets))
        return self._per_pair(positive=positive, negative=negative)
