"""Losses: from a head's output and labels to named parts."""

from __future__ import annotations

from docre.losses.adaptive_focal import AdaptiveFocalLoss, adaptive_focal
from docre.losses.adaptive_threshold import AdaptiveThresholdLoss, adaptive_threshold
from docre.losses.balanced_softmax import BalancedSoftmaxLoss, balanced_softmax
from docre.losses.base import Loss, LossPart, LossParts, at_least_float32, logits_and_labels
from docre.losses.class_risks import class_risks, class_sums, corrected
from docre.losses.combined import CombinedLoss
from docre.losses.concentrated_margin import (
    ConcentratedMarginLoss,
    circle,
    concentrated,
    deviation,
    signed_margins,
    squared_deviation,
)
from docre.losses.distillation import (
    AttentionDistillation,
    DistillationLoss,
    LogitDistillation,
)
from docre.losses.divergence import context_attention, divergence
from docre.losses.evidence import EvidenceLoss, evidence_divergence
from docre.losses.positive_unlabelled import PositiveUnlabelledLoss
from docre.losses.prior_estimation import (
    estimate_multiple,
    estimate_multiples,
    estimate_true_priors,
)
from docre.losses.ranks import sum_over_ranks

__all__ = [
    "AdaptiveFocalLoss",
    "AdaptiveThresholdLoss",
    "AttentionDistillation",
    "BalancedSoftmaxLoss",
    "CombinedLoss",
    "ConcentratedMarginLoss",
    "DistillationLoss",
    "EvidenceLoss",
    "LogitDistillation",
    "Loss",
    "LossPart",
    "LossParts",
    "PositiveUnlabelledLoss",
    "adaptive_focal",
    "adaptive_threshold",
    "at_least_float32",
    "balanced_softmax",
    "circle",
    "class_risks",
    "class_sums",
    "concentrated",
    "context_attention",
    "corrected",
    "deviation",
    "divergence",
    "estimate_multiple",
    "estimate_multiples",
    "estimate_true_priors",
    "evidence_divergence",
    "logits_and_labels",
    "signed_margins",
    "squared_deviation",
    "sum_over_ranks",
]
