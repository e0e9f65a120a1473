"""Adaptive focal loss: every positive against the threshold alone, hard ones up to twice.

Reference: Tan et al. 2022 (KD-DocRE), section 3.3. Its code has a ``gamma_neg`` that nothing uses.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from docre.losses.adaptive_threshold import below_threshold
from docre.losses.base import Loss, LossParts, logits_and_labels
from docre.outputs import HeadOutput, Targets


def adaptive_focal(logits: Tensor, labels: Tensor, gamma: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return the focal part of the positives, and the threshold part of the negatives.

    With ``L`` the labelled relations of a pair, ``U`` the others, ``0`` the threshold and
    ``s_r = sigmoid(l_r - l_0)``::

        positive = - sum_{r in L} (1 + (1 - s_r)^gamma) log s_r
        negative = - log( exp l_0 / sum_{c in U + 0} exp l_c )

    The 1 that is added to the focal factor is meant: without it, easy positives would count for
    nothing. Unlike in adaptive thresholding, positives of a pair do not compete with each other.
    The gradient flows through the factor, as in the published code.

    Args:
        logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        labels: Mask of the labelled relations; column 0 does not matter.  # [P, 1 + R]
        gamma: How fast the factor falls from 2 to 1 for positives above the threshold.

    Returns:
        Positive and negative part.  # [P], [P]
    """
    labelled = labels[:, 1:].bool()
    above = logits[:, 1:] - logits[:, :1]
    # As exp(gamma log(1 - s)): the power itself has an infinite slope at 0 for gamma below 1, where
    # 1 - s underflows, and infinity times the slope 0 of the sigmoid is not a number.
    factor = 1 + (gamma * F.logsigmoid(-above)).exp()
    positive = torch.where(labelled, -factor * F.logsigmoid(above), 0).sum(1)  # [P]
    return positive, below_threshold(logits, labels)


class AdaptiveFocalLoss(Loss):
    """Mean over pairs of :func:`adaptive_focal`; its two parts are ``positive`` and ``negative``.

    Args:
        priors: Not needed.
        gamma: Exponent of the focal factor, at least 0.
        across_ranks: Means over the pairs of all ranks.
    """

    def __init__(
        self, priors: Tensor | None = None, *, gamma: float = 1.0, across_ranks: bool = True
    ) -> None:
        super().__init__(priors, across_ranks=across_ranks)
        if gamma < 0:
            raise ValueError(f"gamma is at least 0, not {gamma}")
        self.gamma = gamma

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the parts."""
        logits, labels = logits_and_labels(output, targets)
        positive, negative = adaptive_focal(logits, labels, self.gamma)
        return self._per_pair(positive=positive, negative=negative)

    def extra_repr(self) -> str:
        """Show the exponent."""
        return f"gamma={self.gamma}"
