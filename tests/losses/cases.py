"""Every loss, and pairs to try it on."""

from __future__ import annotations

import torch

from docre.losses import (
    AdaptiveFocalLoss,
    AdaptiveThresholdLoss,
    BalancedSoftmaxLoss,
    ConcentratedMarginLoss,
    PositiveUnlabelledLoss,
)
from docre.outputs import HeadOutput, Targets

NUM_RELATIONS = 5
PRIORS = torch.tensor([0.1, 0.02, 0.3, 0.0, 0.08], dtype=torch.float64)

# each makes a loss from the priors, as a model does
LOSSES = {
    "threshold": AdaptiveThresholdLoss,
    "focal": AdaptiveFocalLoss,
    "focal-half": lambda priors, **k: AdaptiveFocalLoss(priors, gamma=0.5, **k),
    "focal-flat": lambda priors, **k: AdaptiveFocalLoss(priors, gamma=0.0, **k),
    "balanced": BalancedSoftmaxLoss,
} | {
    f"{risk}-{correction}": lambda priors, risk=risk, correction=correction, **k: (
        PositiveUnlabelledLoss(priors, risk=risk, correction=correction, prior_multiple=3.0, **k)
    )
    for risk in ("pn", "pu", "s-pu")
    for correction in ("flip", "clamp", "none")
}
LOSSES |= {
    f"concentrated-{form}": lambda priors, form=form, **k: ConcentratedMarginLoss(
        priors, form=form, **k
    )
    for form in "ABC"
}
LOSSES["concentrated-rare"] = lambda priors, **k: ConcentratedMarginLoss(
    priors, per_relation=True, optimal_margin=0.1, concentration=0.5, **k
)
# cannot grow beyond a bound, however wrong a score is
BOUNDED = ("concentrated-B", "concentrated-C")


def random_pairs(num_pairs, seed=0, num_relations=NUM_RELATIONS, dtype=torch.float64):
    """Logits and labels; some pairs have several relations, column 0 marks those with none."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(num_pairs, 1 + num_relations, generator=generator, dtype=dtype)
    labels = (torch.rand(num_pairs, 1 + num_relations, generator=generator) < 0.3).to(dtype)
    labels[:, 0] = (labels[:, 1:].sum(1) == 0).to(dtype)
    # as of a model that has learned something: otherwise no negative risk would fall below 0
    logits = logits + 3 * labels
    return logits, labels


def parts_of(loss, logits, labels):
    return loss(HeadOutput(logits), Targets(labels))


def total(loss, logits, labels):
    return parts_of(loss, logits, labels).total()
