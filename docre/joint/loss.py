"""The loss of joint extraction: one term a task."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from docre.losses.base import LossPart, LossParts, at_least_float32


@dataclass(frozen=True, slots=True, eq=False)
class JointLogits:
    """What the four heads say about what they were asked, over all documents of a batch.

    Args:
        mention: Of spans.  # [N]
        coreference: Of pairs of mentions.  # [C]
        entity: Of the types of entities.  # [E, types]
        relation: Of the relations of pairs of entities.  # [P, R]
    """

    mention: Tensor
    coreference: Tensor
    entity: Tensor
    relation: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class JointTargets:
    """What is true of the same rows.

    Args:
        mention: 1 for mentions.  # [N]
        coreference: 1 for mentions of one entity.  # [C]
        entity: Index of the type.  # [E]
        relation: 1 for relations that hold.  # [P, R]
    """

    mention: Tensor
    coreference: Tensor
    entity: Tensor
    relation: Tensor


def joint_loss(
    logits: JointLogits,
    targets: JointTargets,
    *,
    mention_weight: float = 1.0,
    coreference_weight: float = 1.0,
    entity_weight: float = 0.25,
    relation_weight: float = 1.0,
    across_ranks: bool = True,
) -> LossParts:
    """Compare four heads with the truth, each by a mean over its rows of the whole batch.

    Binary cross entropy for spans, pairs of mentions and relations, those summed over the ``R`` of
    a pair; cross entropy for types. Computed in at least float32; without rows a part is 0.

    Args:
        logits: Of the heads.
        targets: Of the same rows.
        mention_weight: Factor of each part in the total.
        coreference_weight: As above.
        entity_weight: As above.
        relation_weight: As above.
        across_ranks: Take means over the rows of all ranks of a distributed run.

    Returns:
        Parts ``mention``, ``coreference``, ``entity`` and ``relation``.

    Raises:
        ValueError: If the shapes of logits and targets differ.
    """
    values = {
        "mention": _binary(logits.mention, targets.mention),
        "coreference": _binary(logits.coreference, targets.coreference),
        "entity": functional.cross_entropy(
            at_least_float32(logits.entity), targets.entity, reduction="none"
        ),
        "relation": _binary(logits.relation, targets.relation).sum(1),  # [P]
    }
    weights = (mention_weight, coreference_weight, entity_weight, relation_weight)
    return LossParts(
        {
            name: LossPart(value, "mean", weight, across_ranks)
            for (name, value), weight in zip(values.items(), weights, strict=True)
        }
    )


def _binary(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross entropy of each number; refuses shapes that differ."""
    logits = at_least_float32(logits)
    return functional.binary_cross_entropy_with_logits(
        logits, targets.to(logits.dtype), reduction="none"
    )
