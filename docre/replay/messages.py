"""What a training says when it ends at a loss that is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import torch.distributed as dist

from docre.replay.kept_steps import checkpoint_path
from docre.replay.rebuilding import foreign_packages, is_recorded

_SHOWN = 20


class StepOfRank(NamedTuple):
    """What one process has to say about a step.

    Args:
        losses: Those of its batches that are not finite.
        guilty: Documents of these batches.
        documents: Documents of all its batches.
        refused: What could not be written.
    """

    losses: tuple[float, ...]
    guilty: tuple[str, ...]
    documents: tuple[str, ...]
    refused: tuple[str, ...]


def gathered(ours: StepOfRank) -> list[StepOfRank]:
    """Return what all processes have to say, by rank; each of them has to ask."""
    if not (dist.is_available() and dist.is_initialized()):
        return [ours]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, ours)
    return found


def not_finite(step: int, everyone: Sequence[StepOfRank], folder: Path | None, command: str) -> str:
    """Return the message of a step whose loss or gradient was not finite.

    Args:
        step: Updates before it.
        everyone: What each process has to say.
        folder: Where the step was kept; ``None`` if it was not.
        command: What runs it again.
    """
    losses = sorted({str(loss) for one in everyone for loss in one.losses})
    if losses:
        what = f"the loss is {' and '.join(losses)}"
        documents = [one.guilty for one in everyone]
    else:
        what = "the loss is finite, but its gradient is not"
        documents = [one.documents for one in everyone]
    told = [
        f"{_some(names)}{f' (rank {rank})' if len(everyone) > 1 else ''}"
        for rank, names in enumerate(documents)
        if names
    ]
    lines = [
        f"step {step}: {what}, in a batch of {'; '.join(told) or 'unknown documents'}",
        "The update was not made: weights and last.ckpt are as they were before this step.",
    ]
    refused = [reason for one in everyone for reason in one.refused]
    if refused:
        lines.append(f"The step could not be kept: {'; '.join(dict.fromkeys(refused))}")
    elif folder is None:
        lines.append(
            "The step was not kept, as this run has no folder: --finite_loss.folder FOLDER, in "
            "Python FiniteLoss(folder=...), names one"
        )
    else:
        lines.append(f"The step is kept in {folder}. Where it begins: {command}")
    return "\n".join(lines)


def replay_command(folder: Path | None, step: int, model: lightning.LightningModule) -> str:
    """Return what runs a step again."""
    path = checkpoint_path(folder or Path(), step)
    settings = dict(model.hparams)
    if not is_recorded(settings):  # put together in Python
        return f"docre.replay.replay({str(path)!r}, model) in Python, with a model that is new"
    packages = foreign_packages(f"{type(model).__module__}.{type(model).__qualname__}", settings)
    return " ".join([f"docre replay {path}", *(f"--allow {name}" for name in packages)])


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
