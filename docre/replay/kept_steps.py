"""The files of a step that was kept: a checkpoint, and beside it the batches of each process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from docre.data.writing import atomic_file
from docre.errors import DocreError
from docre.parent import read_checkpoint
from docre.replay.plain_batch import from_plain, to_plain

FOLDER = "nonfinite"
_CHECKPOINT = re.compile(r"step_(\d+)\.ckpt")
_RANK = re.compile(r"_rank_(\d+)\.pt")


@dataclass(slots=True, eq=False)
class KeptBatch:
    """A batch of a step, with what is needed to run it again.

    Args:
        batch: A batch of docre; ``None`` where it was of another kind and could not be kept.
        random: State of the random generators before it.
        document_ids: Of its documents.
        loss: What came out, ``None`` if nothing did.
    """

    batch: Any
    random: Mapping[str, Any]
    document_ids: tuple[str, ...] = ()
    loss: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KeptRank:
    """What one process had in a step.

    Args:
        step: Updates before it.
        rank: The process.
        precision: Of the trainer.
        device: ``cpu`` or ``cuda``.
        frozen: Names of the parameters that were not trained.
        batches: One for each batch whose gradients were summed up.
    """

    step: int
    rank: int
    precision: str
    device: str
    frozen: tuple[str, ...]
    batches: tuple[KeptBatch, ...]


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return folder / f"step_{step}.ckpt"


def rank_path(folder: Path, step: int, rank: int) -> Path:
    """Return where the batches of a process lie."""
    return folder / f"step_{step}_rank_{rank}.pt"


def write_rank(folder: Path, kept: KeptRank) -> None:
    """Write the batches of a process into a file, whole or not at all."""
    body = {name: getattr(kept, name) for name in KeptRank.__slots__}
    body["batches"] = [
        {
            "batch": _plain(one.batch),
            "random": dict(one.random),
            "document_ids": tuple(one.document_ids),
            "loss": one.loss,
        }
        for one in kept.batches
    ]
    with atomic_file(rank_path(folder, kept.step, kept.rank)) as file:
        torch.save(body, file)


def read_ranks(checkpoint: Path) -> list[KeptRank]:
    """Return what all processes had in the step of a checkpoint.

    Raises:
        DocreError: If there is nothing beside it, or it cannot be read.
    """
    found = _CHECKPOINT.fullmatch(checkpoint.name)
    named = {} if found is None else _files(checkpoint.parent, int(found[1]))
    if not named:
        raise DocreError(
            f"{checkpoint} has no batches beside it (step_N_rank_R.pt): a run writes both into its "
            f"folder {FOLDER} when a loss or a gradient is not finite"
        )
    return [_read(named[rank]) for rank in sorted(named)]


def kept_checkpoint(path: Path) -> Path:
    """Return the checkpoint that a path means: the file, or that of the last step a run kept.

    Raises:
        DocreError: If there is none.
    """
    if path.is_file() or path.suffix == ".ckpt":
        if not path.exists():
            raise DocreError(f"no such checkpoint: {path}")
        return path
    if not path.is_dir():
        raise DocreError(f"no such run folder or checkpoint: {path}")
    folder = path if path.name == FOLDER else path / FOLDER
    steps = {int(m[1]): p for p in folder.glob("*") if (m := _CHECKPOINT.fullmatch(p.name))}
    if not steps:
        raise DocreError(f"{path} has kept no step: no loss or gradient was other than finite")
    return steps[max(steps)]


def _files(folder: Path, step: int) -> dict[int, Path]:
    start = f"step_{step}"
    found = ((_RANK.fullmatch(p.name.removeprefix(start)), p) for p in folder.glob(f"{start}_*.pt"))
    return {int(match[1]): path for match, path in found if match is not None}


def _read(path: Path) -> KeptRank:
    body = read_checkpoint(path)
    try:
        batches = tuple(
            KeptBatch(**{**one, "batch": from_plain(one["batch"])}) for one in body.pop("batches")
        )
        return KeptRank(**body, batches=batches)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocreError(f"{path} has no batches of a step: {error}") from error


def _plain(batch: Any) -> Any:
    try:
        return to_plain(batch)
    except TypeError:  # of a data module of somebody's own
        return None
