"""Learning rates by part of the model, and schedules that warm up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


@dataclass(frozen=True)
class GroupSettings:
    """How one part of the model learns.

    Args:
        lr: Highest learning rate.
        weight_decay: Of its parameters.
        decay_vectors: Let biases and normalisation weights decay too, as published pair systems
            do; joint ones leave them out.
    """

    lr: float = 1e-4
    weight_decay: float = 0.0
    decay_vectors: bool = True


@dataclass(frozen=True)
class LearningRates:
    """How each part of the model learns.

    Args:
        encoder: The pretrained encoder.
        head: Everything after it, and what a loss learns.
        memory: The memory inside the head; as the head if left out.
        context: What makes contexts, such as DocuNet's U-Net; as the head if left out.
        refinement: What refines features, such as KD-DocRE's axial attention; as the head if left
            out.
    """

    encoder: GroupSettings = GroupSettings(3e-5)
    head: GroupSettings = GroupSettings(1e-4)
    memory: GroupSettings | None = None
    context: GroupSettings | None = None
    refinement: GroupSettings | None = None

    def by_part(self) -> dict[str, GroupSettings]:
        """Return the settings of each part that :func:`parts_of` names."""
        return {
            "encoder": self.encoder,
            "memory": self.memory or self.head,
            "context": self.context or self.head,
            "refinement": self.refinement or self.head,
            "head": self.head,
        }


OptimizerFactory = Callable[[Iterable[dict[str, Any]]], Optimizer]
ScheduleFactory = Callable[[Optimizer, int], LRScheduler]


def parts_of(
    encoder: nn.Module, head: nn.Module, loss: nn.Module
) -> dict[str, list[nn.Module | None]]:
    """Return the parts of a model that may learn differently; a head of one's own is one part."""

    def inner(owner: nn.Module | None, name: str) -> nn.Module | None:
        found = getattr(owner, name, None)
        return found if isinstance(found, nn.Module) else None

    return {
        "encoder": [encoder],
        "memory": [inner(head, "memory")],
        "context": [inner(head, "context")],
        "refinement": [inner(inner(head, "classifier"), "refinements")],
        "head": [head, loss],
    }


def parameter_groups(
    parts: Mapping[str, Iterable[nn.Module | None]], settings: Mapping[str, GroupSettings]
) -> list[dict[str, Any]]:
    """Return the groups of an optimizer: each part's trainable parameters, each parameter once.

    Args:
        parts: Modules of each part; a parameter belongs to the first part that has it.
        settings: How each part learns.
    """
    taken: set[int] = set()
    groups: list[dict[str, Any]] = []
    for name, modules in parts.items():
        fresh = list(_fresh(modules, taken))
        chosen = settings[name]
        spared = [p for p in fresh if p.ndim < 2 and not chosen.decay_vectors]
        kept = {id(parameter) for parameter in spared}
        rest = [parameter for parameter in fresh if id(parameter) not in kept]
        for suffix, some, decay in (("", rest, chosen.weight_decay), ("_vectors", spared, 0.0)):
            if some:
                groups.append(
                    {
                        "name": name + suffix,
                        "params": some,
                        "lr": chosen.lr,
                        "weight_decay": decay,
                    }
                )
    return groups


def _fresh(modules: Iterable[nn.Module | None], taken: set[int]) -> Iterator[nn.Parameter]:
    for module in modules:
        for parameter in () if module is None else module.parameters():
            if parameter.requires_grad and id(parameter) not in taken:
                taken.add(id(parameter))
                yield parameter


class LinearWarmup(LambdaLR):
    """Rise to the full rate, then fall to zero, both in a line.

    Args:
        optimizer: Optimizer.
        total_steps: Updates of the whole training.
        warmup: Share of the updates that rise.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.06) -> None:
        rising = _rising(total_steps, warmup)

        def rate(step: int) -> float:
            if step < rising:
                return step / rising
            return max(0.0, (total_steps - step) / max(1, total_steps - rising))

        super().__init__(optimizer, rate)


class ConstantWarmup(LambdaLR):
    """Rise to the full rate in a line and stay there.

    Args:
        optimizer: Optimizer.
        total_steps: Updates of the whole training.
        warmup: Share of the updates that rise.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.06) -> None:
        rising = _rising(total_steps, warmup)
        super().__init__(optimizer, lambda step: step / rising if step < rising else 1.0)


class CosineWarmup(LambdaLR):
    """Rise to the full rate in a line, then fall to zero along half a cosine.

    Args:
        optimizer: Optimizer.
        total_steps: Updates of the whole training.
        warmup: Share of the updates that rise.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float = 0.06) -> None:
        rising = _rising(total_steps, warmup)

        def rate(step: int) -> float:
            if step < rising:
                return step / rising
            done = min(1.0, (step - rising) / max(1, total_steps - rising))
            return 0.5 * (1 + math.cos(math.pi * done))

        super().__init__(optimizer, rate)


def _rising(total_steps: int, warmup: float) -> int:
    if not 0 <= warmup <= 1:
        raise ValueError(f"warmup is a share of the updates, between 0 and 1, not {warmup}")
    return int(total_steps * warmup)
