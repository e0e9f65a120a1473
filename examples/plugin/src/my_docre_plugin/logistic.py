"""A loss: each relation against the threshold."""

from __future__ import annotations

import torch
from docre.losses import Loss, LossPart, LossParts, logits_and_labels
from docre.outputs import HeadOutput, Targets
from torch import Tensor
from torch.nn import functional


class LogisticLoss(Loss):
    """Cross-entropy of ``sigmoid(score - threshold)``, summed over relations, mean over pairs.

    Args:
        priors: Not needed; docre gives it.
        positive_weight: How much more a labelled relation counts, as there are few.
        across_ranks: Means over the pairs of all ranks of a distributed run.
    """

    def __init__(
        self,
        priors: Tensor | None = None,
        *,
        positive_weight: float = 1.0,
        across_ranks: bool = True,
    ) -> None:
        super().__init__(priors, across_ranks=across_ranks)
        self.positive_weight = positive_weight

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the labelled relations and the others as two parts, logged by their names."""
        logits, labels = logits_and_labels(output, targets)  # at least float32, and a mask
        margins, labelled = logits[:, 1:] - logits[:, :1], labels[:, 1:]  # [P, R]
        positive = torch.where(labelled, -functional.logsigmoid(margins), 0).sum(1)
        negative = torch.where(labelled, 0, -functional.logsigmoid(-margins)).sum(1)
        ranks = self.across_ranks
        return LossParts(
            {
                "positive": LossPart(positive, weight=self.positive_weight, across_ranks=ranks),
                "negative": LossPart(negative, across_ranks=ranks),
            }
        )
