"""Balanced softmax: the threshold is the constant 0, and "no relation" a class like the others.

Reference: Zhang et al. 2021 (DocuNet), equation 9, after Su's circle-like multi-label loss. Goes
with decoding above zero.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from docre.losses.base import Loss, LossParts, logits_and_labels
from docre.outputs import HeadOutput, Targets


def balanced_softmax(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far the positives are from above, and the negatives from below 0.

    Over all columns, column 0 included, with ``y`` the label::

        positive = log( 1 + sum_{c: y_c = 1} exp(-l_c) )
        negative = log( 1 + sum_{c: y_c = 0} exp( l_c) )

    Args:
        logits: Scores; column 0 is the class "no relation".  # [P, 1 + R]
        labels: Mask; column 0 is set where a pair has no relation.  # [P, 1 + R]

    Returns:
        Positive and negative part.  # [P], [P]
    """
    labels = labels.bool()
    return _log_one_plus(-logits, labels), _log_one_plus(logits, ~labels)


def _log_one_plus(scores: Tensor, among: Tensor) -> Tensor:
    """Return ``log(1 + sum exp score)`` of some scores of each row, [P]."""
    # the 1 is one more score, 0: then nothing overflows
    return F.pad(scores.masked_fill(~among, -torch.inf), (1, 0)).logsumexp(1)


class BalancedSoftmaxLoss(Loss):
    """Mean over pairs of :func:`balanced_softmax`; its two parts are ``positive``, ``negative``.

    The arguments are those of :class:`Loss`; priors are not needed.
    """

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the parts."""
        positive, negative = balanced_softmax(*logits_and_labels(output, targets))
        return self._per_pair(positive=positive, negative=negative)
