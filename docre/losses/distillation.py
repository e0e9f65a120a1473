"""Distillation: what a teacher says of a pair is a target beside the labels.

References: Ma et al. 2023 (DREEAM) for attention, Tan et al. 2022 (KD-DocRE) for logits.
"""

from __future__ import annotations

from torch import Tensor

from docre.losses.base import Loss, LossPart, LossParts, at_least_float32
from docre.losses.divergence import context_attention, divergence
from docre.outputs import HeadOutput, Targets, TeacherTargets


class DistillationLoss(Loss):
    """Base of the losses that learn from a teacher, which exists in training only.

    Args:
        priors: Not needed.
        weight: Factor of the loss in the total.
        across_ranks: Means over the pairs of all ranks.
    """

    training_only = True

    def __init__(
        self, priors: Tensor | None = None, *, weight: float = 1.0, across_ranks: bool = True
    ) -> None:
        super().__init__(priors, across_ranks=across_ranks)
        if not weight >= 0:
            raise ValueError(f"weight is at least 0, not {weight}")
        self.weight = weight

    def extra_repr(self) -> str:
        """Show the weight."""
        return f"weight={self.weight}"

    def _teacher(self, targets: Targets) -> TeacherTargets:
        if targets.teacher is None:
            raise ValueError(
                f"{type(self).__name__} learns from a teacher, and there is none: set model.teacher"
            )
        return targets.teacher

    def _missing(self, what: str) -> ValueError:
        return ValueError(f"{type(self).__name__}: model.teacher gives no {what} to learn from")


class AttentionDistillation(DistillationLoss):
    """Contexts should come from where those of the teacher come from.

    Mean over all pairs of the divergence between the teacher's map over the tokens of a document
    and the student's; its one part is ``teacher_attention``.

    Args:
        priors: Not needed.
        weight: Factor of the loss in the total, as that of the evidence the teacher learned from.
        across_ranks: Mean over the pairs of all ranks.
    """

    def __init__(
        self, priors: Tensor | None = None, *, weight: float = 0.1, across_ranks: bool = True
    ) -> None:
        super().__init__(priors, weight=weight, across_ranks=across_ranks)

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the part.

        Raises:
            ValueError: Without a teacher or its attention, without attention in the output, or if
                the maps are not over the same pairs and tokens.
        """
        teacher = self._teacher(targets).attention
        if teacher is None:
            raise self._missing("attention")
        target = teacher.per_pair().detach()  # [P, T]
        found = context_attention(output).per_pair()  # [P, T]
        _same_shape("attention", target, found)
        values = divergence(target, found)  # [P]
        part = LossPart(values, weight=self.weight, across_ranks=self.across_ranks)
        return LossParts({"teacher_attention": part})


class LogitDistillation(DistillationLoss):
    """Logits should be those of the teacher.

    Mean of the squared differences over all entries the teacher gives, the threshold's column
    included; its one part is ``teacher_logits``.

    Args:
        priors: Not needed.
        weight: Factor of the loss in the total.
        across_ranks: Mean over the entries of all ranks.
    """

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the part.

        Raises:
            ValueError: Without a teacher or its logits, or if they are not of the same pairs.
        """
        teacher = self._teacher(targets)
        if teacher.values is None:
            raise self._missing("logits")
        target = at_least_float32(teacher.values.detach())
        found = at_least_float32(output.logits)
        if teacher.columns is not None:
            _same_shape("columns", teacher.columns, target)
            if len(teacher.columns) == len(found):
                found = found.gather(1, teacher.columns)  # [P, k]
        _same_shape("logits", target, found)
        part = LossPart(
            (found - target).square(), weight=self.weight, across_ranks=self.across_ranks
        )
        return LossParts({"teacher_logits": part})


def _same_shape(what: str, of_teacher: Tensor, of_student: Tensor) -> None:
    # broadcasting would hide it
    if of_teacher.shape != of_student.shape:
        shapes = f"{tuple(of_teacher.shape)} and {tuple(of_student.shape)}"
        raise ValueError(f"{what} of teacher and student are of one shape, not {shapes}")
