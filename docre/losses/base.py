"""What every loss is: a function of a head's output to named parts, made into one scalar last.

A loss gives its parts per element and says how each is to be reduced. So every part can be logged
by its name, a part can be weighted, and the reduction over the ranks of a distributed run stands in
one place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from docre.losses.ranks import sum_over_ranks, world_size
from docre.outputs import HeadOutput, Targets

Reduction = Literal["mean", "sum"]


@dataclass(frozen=True, slots=True, eq=False)
class LossPart:
    """One term of a loss.

    Args:
        values: One value per element (pair, class, ...).  # [N]
        reduction: How the elements become one number. The mean of nothing is 0.
        weight: Factor of the part in the total.
        across_ranks: The elements are spread over the ranks of a distributed run, and are reduced
            as if they were in one process. False for elements that are per rank on purpose, or
            that are already the same on every rank.
        count: What the sum is divided by for the mean, where that is not the number of values. Of
            nothing, the mean is 0.  # []
    """

    values: Tensor
    reduction: Reduction = "mean"
    weight: float = 1.0
    across_ranks: bool = True
    count: Tensor | None = None

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum"):
            raise ValueError(f"reduction is 'mean' or 'sum', not {self.reduction!r}")
        if self.count is not None and self.reduction == "sum":
            raise ValueError("count divides a mean, and the reduction is 'sum'")


@dataclass(frozen=True, eq=False)
class LossParts:
    """The named terms of a loss.

    Args:
        parts: The terms by name; at least one.
        measured: What else is logged, and nobody minimises; detached.

    Example:
        >>> parts = LossParts({"near": LossPart(torch.ones(4)), "far": LossPart(torch.zeros(4))})
        >>> float(parts.total())
        1.0
    """

    parts: Mapping[str, LossPart]
    measured: Mapping[str, LossPart] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a loss without a part has no gradient")
        if self.parts.keys() & self.measured.keys():
            raise ValueError("a part and a measure have the same name")
        for name, part in self.measured.items():
            if not isinstance(part, LossPart):
                raise ValueError(f"{name} is measured over ranks, too: give it as a LossPart")

    def total(self) -> Tensor:
        """Return the weighted sum of the parts, the scalar to minimise."""
        terms = [part.weight * self._reduced[name] for name, part in self.parts.items()]
        return torch.stack(terms).sum()

    def scalars(self) -> dict[str, Tensor]:
        """Return each part by name, before its weight and detached, for logging."""
        return {name: self._reduced[name].detach() for name in self.parts}

    @property
    def measures(self) -> dict[str, Tensor]:
        """What else is logged, as one number each."""
        return {name: self._reduced[name].detach() for name in self.measured}

    @cached_property
    def _reduced(self) -> dict[str, Tensor]:
        # once, and everything in one collective
        every = {**self.parts, **self.measured}
        sums = {name: at_least_float32(part.values).sum() for name, part in every.items()}
        counts: dict[str, Tensor] = {
            # filled on the device: copying a number to it would make the host wait
            name: torch.full_like(sums[name], part.values.numel())
            if part.count is None
            else part.count.to(sums[name].dtype)
            for name, part in every.items()
        }
        spread = [name for name, part in every.items() if part.across_ranks]
        if spread and world_size() > 1:
            packed = [sums[name] for name in spread] + [counts[name] for name in spread]
            everywhere = sum_over_ranks(torch.stack(packed))
            sums |= zip(spread, everywhere[: len(spread)], strict=True)
            counts |= zip(spread, everywhere[len(spread) :], strict=True)
        return {
            name: sums[name] / counts[name].clamp(min=1) if part.reduction == "mean" else sums[name]
            for name, part in every.items()
        }


def at_least_float32(values: Tensor) -> Tensor:
    """Return half precision and whole numbers as float32, wider floats as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def logits_and_labels(output: HeadOutput, targets: Targets) -> tuple[Tensor, Tensor]:
    """Return the logits in at least float32 and the labels as a mask.

    Raises:
        ValueError: If their shapes differ; broadcasting would hide it.
    """
    if output.logits.shape != targets.labels.shape:
        shapes = f"{tuple(output.logits.shape)} and {tuple(targets.labels.shape)}"
        raise ValueError(f"logits and labels are [P, 1 + R] both, not {shapes}")
    return at_least_float32(output.logits), targets.labels != 0


class Loss(nn.Module, ABC):
    """Base of all losses.

    A model makes its loss through a factory ``Callable[[Tensor], Loss]``, so a loss of any package
    is chosen in YAML by ``class_path`` and ``init_args``. Every subclass takes ``priors`` as its
    only positional argument, needed or not, and has defaults for all others. It computes in at
    least float32, never writes to the tensors it is given, does not make the host wait for the
    device, and gives 0 (with a graph) where there are no pairs.

    With ``across_ranks`` each forward pass costs one collective, so in a distributed run every rank
    has to take the same number of steps, as Lightning's and our samplers see to.

    Args:
        priors: Share of the training pairs that is labelled with each relation.  # [R]
        across_ranks: Under DDP, take means over the pairs of all ranks: the result is that of one
            process with the whole batch. False takes each rank's own means.

    Attributes:
        training_only: Left out in evaluation, where what it compares with does not exist.
    """

    training_only: ClassVar[bool] = False

    def __init__(self, priors: Tensor | None = None, *, across_ranks: bool = True) -> None:
        super().__init__()
        self.across_ranks = across_ranks

    @abstractmethod
    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Compare a head's output with the targets.

        Args:
            output: Logits, column 0 is the threshold, and what else the head has.
            targets: Labels of the same pairs.

        Returns:
            The terms of the loss.
        """

    def _per_pair(self, **values: Tensor) -> LossParts:
        """Return parts that are means over pairs, each [P]."""
        return LossParts(
            {
                name: LossPart(value, "mean", across_ranks=self.across_ranks)
                for name, value in values.items()
            }
        )
