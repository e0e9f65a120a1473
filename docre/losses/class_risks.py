"""The risks of positive-unlabelled learning, relation by relation, as formulas.

Reference: Wang et al. 2022 (SSR-PU), section 3; the correction is from Kiryo et al. 2017.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Risk = Literal["pn", "pu", "s-pu"]
ClassWeight = Literal["sqrt", "none"] | float
Correction = Literal["flip", "clamp", "none"]


def class_sums(logits: Tensor, labels: Tensor, margin: float = 0.25, scale: float = 0.25) -> Tensor:
    """Return per relation all that the risks need of a batch, as sums that can be added up.

    The score of a relation is ``f = l_r - l_0``, and the surrogate ``l(f, y) = scale (y f - m)^2``.

    Args:
        logits: Scores; column 0 is the threshold.  # [P, 1 + R]
        labels: Mask of the labelled relations; column 0 does not matter.  # [P, 1 + R]
        margin: ``m``, how far from the threshold a score should be.
        scale: Factor of the surrogate.

    Returns:
        Number of labelled and of other pairs; sums of ``l(f, +1)`` over the labelled, of
        ``l(f, -1)`` over the labelled, of ``l(f, -1)`` over the others.  # [5, R]
    """
    scores = logits[:, 1:] - logits[:, :1]  # [P, R]
    labelled = labels[:, 1:].bool()
    as_positive = scale * (scores - margin).square()
    as_negative = scale * (scores + margin).square()
    columns = (
        labelled.to(scores.dtype),
        (~labelled).to(scores.dtype),
        torch.where(labelled, as_positive, 0),
        torch.where(labelled, as_negative, 0),
        torch.where(labelled, 0, as_negative),
    )
    return torch.stack([column.sum(0) for column in columns])  # [5, R]


def class_risks(
    sums: Tensor,
    priors: Tensor,
    true_priors: Tensor,
    risk: Risk = "s-pu",
    class_weight: ClassWeight = "sqrt",
) -> tuple[Tensor, Tensor]:
    """Return the negative and the positive risk of each relation.

    ``Pp``, ``Pn`` are the means of ``l(f, +1)`` and ``l(f, -1)`` over the labelled pairs, ``Un``
    that of ``l(f, -1)`` over all others (0 over nothing); ``pi_l`` the share of pairs that is
    labelled, ``pi_o`` the share that is truly positive::

        pn    negative = (1 - pi_o) Un
        pu    negative = Un - pi_o Pn
        s-pu  negative = (1 - pi_l) Un - (pi_o - pi_l) Pn
        all   positive = pi_o w Pp         w = ((1 - pi_o) / pi_o) ^ 1/2, or another power

    The paper writes S-PU with ``pi_u = (pi_o - pi_l) / (1 - pi_l)``, the share of positives among
    the pairs without a label, as ``(1 - pi_o) / (1 - pi_u) Un - (pi_u - pi_u pi_o) / (1 - pi_u)
    Pn``. As ``1 - pi_u = (1 - pi_o) / (1 - pi_l)``, that is the line above, which divides by
    nothing. For ``pi_o = pi_l`` it is PN.

    ``pi_o w`` is computed as ``sqrt(pi_o (1 - pi_o))``, which for a relation that never occurs is
    its limit 0 where the published product of 0 and infinity is not a number.

    Args:
        sums: From :func:`class_sums`.  # [5, R]
        priors: ``pi_l``.  # [R]
        true_priors: ``pi_o``.  # [R]
        risk: Which negative risk.
        class_weight: How much more rare relations weigh: the power of ``w``, ``sqrt`` for 1/2, or
            ``none`` for 0.

    Returns:
        Negative and positive risk.  # [R], [R]
    """
    number = sums[:2].clamp(min=1)
    positive = sums[2] / number[0]
    labelled_as_negative = sums[3] / number[0]
    others_as_negative = sums[4] / number[1]
    match risk:
        case "pn":
            negative = (1 - true_priors) * others_as_negative
        case "pu":
            negative = others_as_negative - true_priors * labelled_as_negative
        case "s-pu":
            negative = (1 - priors) * others_as_negative
            negative = negative - (true_priors - priors) * labelled_as_negative
    return negative, _weighted(true_priors, class_weight) * positive


def _weighted(priors: Tensor, class_weight: ClassWeight) -> Tensor:
    """Return ``pi w``."""
    if class_weight == "none":
        return priors
    if class_weight == "sqrt":
        return (priors * (1 - priors)).sqrt()
    return priors ** (1 - class_weight) * (1 - priors) ** class_weight


def corrected(
    negative: Tensor,
    positive: Tensor,
    correction: Correction = "flip",
    beta: float = 0.0,
    gamma: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return the risks with something done about a negative risk that was estimated too low.

    A risk cannot be below 0, its estimate can: where it is, the model has overfitted the class.

    * ``flip``: where ``negative < beta`` the class gives ``-gamma negative`` and *no* positive
      risk: the step goes back up. This is what the code of SSR-PU and TTM-RE does, as non-negative
      PU learning (Kiryo et al. 2017, where the bound is ``-beta``) does in its algorithm.
    * ``clamp``: ``max(0, negative)``, and the positive risk stays: what both papers write.
    * ``none``: the estimate as it is.

    Args:
        negative: Negative risk of each relation.  # [R]
        positive: Positive risk of each relation.  # [R]
        correction: What to do.
        beta: Lowest negative risk that ``flip`` leaves alone.
        gamma: Strength of the step back.

    Returns:
        Both risks as they enter the loss.  # [R], [R]
    """
    match correction:
        case "flip":
            fired = negative < beta
            return (
                torch.where(fired, -gamma * negative, negative),
                torch.where(fired, 0, positive),
            )
        case "clamp":
            return negative.clamp(min=0), positive
        case "none":
            return negative, positive
