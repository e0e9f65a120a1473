"""Concentrated margin loss: labels weigh by how far they are from where they should be.

Made for labels that are incomplete: hard positives weigh much and never nothing, negatives that are
easy enough weigh nothing.

What is published (COMM, arXiv 2503.13885, as far as we know it): a threshold class as in ATLOP;
margins between the scores of relations and of the threshold, for positive and for negative
relations; a sigmoid with a concentration ``gamma``; a penalty on how far margins are from their
optimum; ``m`` of 0.1, 0.2, 0.3, 0.4 and ``gamma`` of 1, 1.2, 1.4, 1.6, 2.

What is **our reading**: all formulas below. No code was published and we did not see the equations.
Form ``A`` reads ``gamma`` as a focusing power, ``B`` as the slope of the sigmoid, both with the
optima of circle loss (Sun et al. 2020); ``C`` takes "penalise the deviation" literally and is here
for comparison only, as badly wrong labels have next to no gradient. ``per_relation`` takes "margins
follow the distribution of relations" to mean their frequencies (after Cao et al. 2019). Choose on
development data, and report adaptive thresholding beside it.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from docre.losses.base import Loss, LossPart, LossParts, at_least_float32, logits_and_labels
from docre.outputs import HeadOutput, Targets

MarginForm = Literal["A", "B", "C"]
_LARGEST = 0.45  # of the margins that follow frequencies


def signed_margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how far each relation is on its right side of the threshold.

    Args:
        logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        labels: Mask of the labelled relations; column 0 does not matter.  # [P, 1 + R]

    Returns:
        ``l_r - l_0`` of positives, ``l_0 - l_r`` of negatives.  # [P, R]
    """
    above = logits[:, 1:] - logits[:, :1]  # [P, R]
    return torch.where(labels[:, 1:].bool(), above, -above)


def deviation(scores: Tensor, optimum: Tensor | float) -> Tensor:
    """Return how far scores are below their optimum; a weight, so without a gradient."""
    return (optimum - scores.detach()).clamp(min=0)


def concentrated(margins: Tensor, optima: Tensor, gamma: float = 1.4) -> Tensor:
    """Return form A: cross-entropy, weighted by a power of the deviation.

    ``[O - sigmoid(d)]_+^gamma log(1 + exp(-d))``. With ``O = 1`` and ``gamma = 0`` it is the
    cross-entropy of the margins; with ``O = 1 - m`` nothing is left where ``sigmoid(d)`` is more.

    Args:
        margins: ``d``, from :func:`signed_margins`.  # [P, R]
        optima: ``O``: ``1 + m`` of positives, ``1 - m`` of negatives.  # [P, R]
        gamma: How much more the hard ones weigh.

    Returns:
        One value a label.  # [P, R]
    """
    # softplus(-d) would give up its exponential from 20 on
    return deviation(margins.sigmoid(), optima) ** gamma * -F.logsigmoid(margins)


def circle(
    margins: Tensor,
    members: Tensor,
    margin: Tensor | float,
    gamma: float = 1.4,
    scale: float = 1.0,
) -> Tensor:
    """Return form B: one budget for a group of labels of a pair, hard ones first.

    ``log(1 + sum_r exp(-k [1 + m - s_r]_+ (s_r - (1 - m))))`` with ``s = sigmoid(gamma d)``.

    Args:
        margins: ``d``, from :func:`signed_margins`.  # [P, R]
        members: Which labels are in the group.  # [P, R]
        margin: ``m``.
        gamma: Slope of the sigmoid.
        scale: ``k``.

    Returns:
        One value a pair; 0 where the group is empty.  # [P]
    """
    scores = (gamma * margins).sigmoid()
    terms = -scale * deviation(scores, 1 + margin) * (scores - (1 - margin))
    terms = terms.masked_fill(~members, -torch.inf)
    return F.pad(terms, (1, 0)).logsumexp(1)  # [P]


def squared_deviation(margins: Tensor, optima: Tensor, gamma: float = 1.4) -> Tensor:
    """Return form C, ``[O - sigmoid(gamma d)]_+^2``, with the gradient through all of it.

    Args:
        margins: ``d``, from :func:`signed_margins`.  # [P, R]
        optima: ``O``, as in :func:`concentrated`.  # [P, R]
        gamma: Slope of the sigmoid.

    Returns:
        One value a label.  # [P, R]
    """
    return (optima - (gamma * margins).sigmoid()).clamp(min=0).square()


class ConcentratedMarginLoss(Loss):
    """Mean over pairs of one of the forms above, summed over relations.

    Its parts are ``positive`` and ``negative``. It also measures ``margin_positive`` and
    ``margin_negative``, the mean of :func:`signed_margins` over the labels (0 over none).

    The arguments are not called like those of other losses, so that an overlay which exchanges the
    loss does not inherit one.

    Args:
        priors: Frequencies of the relations, for ``per_relation``.
        form: ``A`` :func:`concentrated`, ``B`` :func:`circle`, ``C`` :func:`squared_deviation`.
        optimal_margin: ``m``, at least 0 and below 0.5.
        concentration: ``gamma``, at least 0.
        sharpness: ``k`` of form B, above 0; the others have none.
        per_relation: Rare relations get a wider margin, ``m (n_max / n_r)^(1/4)`` up to 0.45.
        across_ranks: Means over the pairs of all ranks.

    Raises:
        ValueError: If a setting is out of its range, or ``per_relation`` has no priors.
    """

    margins: Tensor | None

    def __init__(
        self,
        priors: Tensor | None = None,
        *,
        form: MarginForm = "A",
        optimal_margin: float = 0.2,
        concentration: float = 1.4,
        sharpness: float = 1.0,
        per_relation: bool = False,
        across_ranks: bool = True,
    ) -> None:
        super().__init__(priors, across_ranks=across_ranks)
        if form not in get_args(MarginForm):
            raise ValueError(f"form is one of A, B, C, not {form!r}")
        # from 0.5 on a negative would weigh nothing though it is above the threshold
        if not 0 <= optimal_margin < 0.5:
            raise ValueError(f"optimal_margin is at least 0 and below 0.5, not {optimal_margin}")
        if not concentration >= 0:
            raise ValueError(f"concentration is at least 0, not {concentration}")
        if form != "A" and concentration == 0:
            raise ValueError(f"concentration of form {form} is a slope: above 0, not 0")
        if not sharpness > 0:
            raise ValueError(f"sharpness is above 0, not {sharpness}")
        self.form: MarginForm = form
        self.optimal_margin, self.sharpness = optimal_margin, sharpness
        self.concentration = concentration
        chosen = _wider_for_rare(priors, optimal_margin) if per_relation else None
        self.register_buffer("margins", chosen)

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the parts and measures."""
        logits, labels = logits_and_labels(output, targets)
        margin = self.optimal_margin if self.margins is None else self.margins.to(logits.dtype)
        positive = labels[:, 1:]
        margins = signed_margins(logits, labels)
        groups = {"positive": positive, "negative": ~positive}
        if self.form == "B":
            values = {
                name: circle(margins, members, margin, self.concentration, self.sharpness)
                for name, members in groups.items()
            }
        else:
            # not torch.where(positive, 1 + m, 1 - m), which is float32 in float64, too
            optima = 1 + margin * (2 * positive.to(margins.dtype) - 1)  # [P, R]
            formula = concentrated if self.form == "A" else squared_deviation
            each = formula(margins, optima, self.concentration)
            values = {
                name: torch.where(members, each, 0).sum(1) for name, members in groups.items()
            }
        return LossParts(
            {
                name: LossPart(value, across_ranks=self.across_ranks)
                for name, value in values.items()
            },
            {
                f"margin_{name}": _mean_over(margins, members, self.across_ranks)
                for name, members in groups.items()
            },
        )

    def extra_repr(self) -> str:
        """Show the settings."""
        own = f", sharpness={self.sharpness}" if self.form == "B" else ""
        wider = "" if self.margins is None else ", per_relation=True"
        return (
            f"form={self.form}, optimal_margin={self.optimal_margin}, "
            f"concentration={self.concentration}{own}{wider}"
        )


def _wider_for_rare(priors: Tensor | None, margin: float) -> Tensor:
    if priors is None:
        raise ValueError("per_relation needs the priors: the frequencies of the relations")
    if margin > _LARGEST:
        raise ValueError(f"per_relation caps margins at {_LARGEST}, below the margin {margin}")
    # a relation that never occurs is rarer than any other
    counted = at_least_float32(priors.detach()).clamp(min=torch.finfo(torch.float32).tiny)
    return (margin * (counted.max() / counted) ** 0.25).clamp(max=_LARGEST)


def _mean_over(values: Tensor, members: Tensor, across_ranks: bool) -> LossPart:
    chosen = torch.where(members, values.detach(), 0)
    return LossPart(chosen, across_ranks=across_ranks, count=members.sum())
