"""The loss of joint extraction: one term a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from docre.joint.samples import JointSample
from docre.losses.base import Loss, LossPart, LossParts, at_least_float32
from docre.outputs import HeadOutput, Targets


@dataclass(frozen=True, slots=True, eq=False)
class JointLogits:
    """What the four heads say about what they were asked, over all documents of a batch.

    A head that a model does not have says nothing.

    Args:
        mention: Of spans.  # [N]
        coreference: Of pairs of mentions.  # [C]
        entity: Of the types of entities.  # [E, types]
        relation: Of the relations of pairs of entities; with a learned threshold in column 0, one
            column more.  # [P, R]
    """

    mention: Tensor | None = None
    coreference: Tensor | None = None
    entity: Tensor | None = None
    relation: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JointTargets:
    """What is true of the same rows.

    Args:
        mention: 1 for mentions.  # [N]
        coreference: 1 for mentions of one entity.  # [C]
        entity: Index of the type, -1 where it is not known.  # [E]
        relation: 1 for relations that hold.  # [P, R]
    """

    mention: Tensor
    coreference: Tensor
    entity: Tensor
    relation: Tensor

    @classmethod
    def of(cls, sample: JointSample, num_relations: int) -> JointTargets:
        """Take the answers of a sample.

        Args:
            sample: What the heads are asked.
            num_relations: ``R``.
        """
        return cls(
            sample.mention_target,
            sample.coreference_target,
            sample.entity_type,
            sample.relation_target(num_relations),
        )


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
    """Compare the heads with the truth, each by a mean over its rows of the whole batch.

    Binary cross entropy for spans, pairs of mentions and relations, those summed over the ``R`` of
    a pair; cross entropy for types, over entities whose type is known. Computed in at least
    float32; without rows a part is 0.

    Args:
        logits: Of the heads.
        targets: Of the same rows.
        mention_weight: Factor of each part in the total.
        coreference_weight: As above.
        entity_weight: As above.
        relation_weight: As above.
        across_ranks: Take means over the rows of all ranks of a distributed run.

    Returns:
        Parts ``mention``, ``coreference``, ``entity`` and ``relation``, of heads that said
        something.

    Raises:
        ValueError: If the shapes of logits and targets differ, or no head said anything.
    """
    parts: dict[str, LossPart] = {}

    def add(name: str, values: Tensor, weight: float, count: Tensor | None = None) -> None:
        parts[name] = LossPart(values, "mean", weight, across_ranks, count)

    if logits.mention is not None:
        add("mention", _binary(logits.mention, targets.mention), mention_weight)
    if logits.coreference is not None:
        add("coreference", _binary(logits.coreference, targets.coreference), coreference_weight)
    if logits.entity is not None:
        of_types, known = at_least_float32(logits.entity), (targets.entity >= 0).sum()
        value = functional.cross_entropy(
            of_types, targets.entity, ignore_index=-1, reduction="none"
        )  # [E]
        add("entity", value, entity_weight, known)
    if logits.relation is not None:
        add("relation", _binary(logits.relation, targets.relation).sum(1), relation_weight)
    return LossParts(parts)


class JointLoss(nn.Module):
    """The sum of the terms of all heads.

    Args:
        priors: Share of the training pairs that is labelled with each relation.  # [R]
        mention_weight: Factor of each term in the sum.
        coreference_weight: As above.
        entity_weight: As above.
        relation_weight: As above.
        relation: Makes the loss of relations from the priors: one of :mod:`docre.losses` that
            compares relations with a threshold, such as
            :class:`~docre.losses.PositiveUnlabelledLoss`. Left out, it is the published binary
            cross entropy, and there is no threshold.
        across_ranks: Take means over the rows of all ranks of a distributed run. A loss of
            relations has its own.
    """

    def __init__(
        self,
        priors: Tensor | None = None,
        *,
        mention_weight: float = 1.0,
        coreference_weight: float = 1.0,
        entity_weight: float = 0.25,
        relation_weight: float = 1.0,
        relation: Callable[[Tensor], Loss] | None = None,
        across_ranks: bool = True,
    ) -> None:
        super().__init__()
        self.weights = {
            "mention_weight": mention_weight,
            "coreference_weight": coreference_weight,
            "entity_weight": entity_weight,
            "relation_weight": relation_weight,
        }
        for name, weight in self.weights.items():
            if not weight >= 0:
                raise ValueError(f"{name} is at least 0, not {weight}")
        self.across_ranks = across_ranks
        if relation is not None and priors is None:
            raise ValueError("a loss of relations needs the priors of the relations")
        self.relation = None if relation is None or priors is None else relation(priors)

    @property
    def needs_threshold(self) -> bool:
        """Whether relations have a learned threshold in column 0 of their logits."""
        return self.relation is not None

    def forward(self, logits: JointLogits, targets: JointTargets) -> LossParts:
        """Return the parts of :func:`joint_loss`.

        With a loss of relations its own parts and measures are there in place of ``relation``, as
        ``relation/positive`` and so on; their weights are multiplied by that of relations.

        Args:
            logits: Of the heads.
            targets: Of the same rows.
        """
        relations = logits.relation
        if self.relation is None or relations is None:
            return joint_loss(logits, targets, **self.weights, across_ranks=self.across_ranks)
        found: LossParts = self.relation(
            HeadOutput(relations), Targets(with_none(targets.relation))
        )
        weight = self.weights["relation_weight"]
        parts = {
            f"relation/{name}": replace(part, weight=weight * part.weight)
            for name, part in found.parts.items()
        }
        others = replace(logits, relation=None)
        if any(said is not None for said in (others.mention, others.coreference, others.entity)):
            rest = joint_loss(others, targets, **self.weights, across_ranks=self.across_ranks)
            parts = {**rest.parts, **parts}
        measured = {f"relation/{name}": part for name, part in found.measured.items()}
        return LossParts(parts, measured)

    def extra_repr(self) -> str:
        """Show the weights."""
        return ", ".join(f"{name}={weight}" for name, weight in self.weights.items())


def with_none(labels: Tensor) -> Tensor:
    """Put the class of none in front: 1 exactly where no relation is.

    Args:
        labels: 1 for relations that hold.  # [P, R]

    Returns:
        # [P, 1 + R]
    """
    labels = at_least_float32(labels)
    none = 1 - labels.amax(1, keepdim=True)  # [P, 1]
    return torch.cat((none, labels), 1)


def _binary(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross entropy of each number; refuses shapes that differ."""
    logits = at_least_float32(logits)
    return functional.binary_cross_entropy_with_logits(
        logits, targets.to(logits.dtype), reduction="none"
    )
