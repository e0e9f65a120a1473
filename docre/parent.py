"""Training in stages: begin from what an earlier run has learnt."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.base_model import DocumentModel


@dataclass(frozen=True)
class Parent:
    """The run that another began from.

    Args:
        path: Its checkpoint, or the weights of an exported folder.
        xxh3_128: Checksum of that file.
        epoch: Epoch it was saved in; 0 if nobody knows.
        step: Updates it had; likewise.
    """

    path: str
    xxh3_128: str
    epoch: int
    step: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a checkpoint."""
        return asdict(self)


def best_checkpoint(path: str | Path) -> Path:
    """Return the checkpoint a path means: the file, or the best (else the last) one of a run.

    Raises:
        DocreError: If there is none.
    """
    given = Path(path)
    if given.is_file():
        return given
    if not given.exists():
        raise DocreError(f"no such run folder or checkpoint: {given}")
    for name in ("best.ckpt", "last.ckpt"):
        found = given / "checkpoints" / name
        if found.exists():
            return found
    raise DocreError(f"{given} has neither checkpoints/best.ckpt nor checkpoints/last.ckpt")


def read_checkpoint(path: str | Path, mmap: bool = False) -> dict[str, Any]:
    """Return what is in a checkpoint, never unpickling.

    Args:
        path: The file.
        mmap: Leave weights on the disk until they are used.

    Raises:
        DocreError: If it is damaged or something else.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise DocreError(f"{path} is no checkpoint that can be read") from error
    return found


def encoder_config_of(checkpoint: str | Path | None) -> dict[str, Any] | None:
    """Return the architecture in a checkpoint, whose weights then need not be fetched."""
    if not checkpoint or not Path(checkpoint).is_file():
        return None
    known = read_checkpoint(checkpoint, mmap=True)
    config: dict[str, Any] | None = known.get("docre", {}).get("encoder_config")
    return config


def load_parent(path: str | Path, model: DocumentModel) -> Parent:
    """Give a model the encoder and what follows it of an earlier run or an exported model.

    Args:
        path: Run folder, checkpoint, exported folder, or the name of one on the hub.
        model: Built.

    The loss stays: its priors are those of the new training data.

    Raises:
        DocreError: If the run knows other relations or has other parts.
    """
    try:
        source = _source(path)
    except DocreError as error:
        raise DocreError(f"init_from: {error}") from error
    known = source.relations
    differing = model.differing(known, source.types)
    if differing:
        raise DocreError(
            f"init_from: {source.parent.path} knows {len(known)} relations, the data "
            f"{len(model.relations)}: they are other {differing}"
        )
    weights = {
        name: value for name, value in source.weights.items() if name.startswith(model.inherited)
    }
    missing, unexpected = _differences(model, weights)
    if missing or unexpected:
        raise DocreError(
            f"init_from: the parts of {source.parent.path} are others than those of this run; only "
            f"in this run: {_some(missing)}; only in the checkpoint: {_some(unexpected)}"
        )
    model.load_state_dict(weights, strict=False)
    return source.parent


class _Source(NamedTuple):
    """What a training begins from."""

    relations: Sequence[str]
    types: Sequence[str]
    weights: Mapping[str, torch.Tensor]
    parent: Parent


def _source(path: str | Path) -> _Source:
    """Read it from wherever it is."""
    from docre.hub.exported_folder import is_exported
    from docre.hub.remote import download, is_on_hub

    if is_exported(Path(path)):
        return _exported(Path(path))
    if is_on_hub(path):
        return _exported(download(str(path)), str(path))
    return _trained(path)


def _trained(path: str | Path) -> _Source:
    """Read a checkpoint."""
    from docre.data.cache import file_hash

    source = best_checkpoint(path)
    checkpoint = read_checkpoint(source)
    known = checkpoint.get("docre", {})
    epoch, step = int(checkpoint["epoch"]), int(checkpoint["global_step"])
    parent = Parent(str(source), file_hash(source), epoch, step)
    relations, types = known.get("relations") or (), known.get("types") or ()
    return _Source(relations, types, checkpoint["state_dict"], parent)


def _exported(folder: Path, name: str | None = None) -> _Source:
    """Read an exported folder; its weights are the same that its checkpoint had.

    Args:
        folder: Where it is.
        name: What it is called on the hub: where a copy lies is of no use to others.
    """
    from docre.data.cache import file_hash
    from docre.hub.exported_folder import WEIGHTS, read_config, read_facts
    from docre.hub.manifest import check_manifest
    from docre.hub.safetensors_file import read_safetensors

    check_manifest(folder)
    config, facts = read_config(folder), read_facts(folder)
    trained = facts.get("checkpoint") or {}
    path = folder / WEIGHTS
    said = str(path) if name is None else f"{name}/{WEIGHTS}"
    parent = Parent(
        said, file_hash(path), int(trained.get("epoch", 0)), int(trained.get("step", 0))
    )
    names = [name for name, _ in config.relations]
    return _Source(names, config.types, read_safetensors(path), parent)


def _differences(
    model: DocumentModel, weights: dict[str, torch.Tensor]
) -> tuple[list[str], list[str]]:
    """Return what is missing and what is not expected; other shapes are both."""
    ours = {
        f"{name} {tuple(value.shape)}"
        for name, value in model.state_dict().items()
        if name.startswith(model.inherited)
    }
    theirs = {f"{name} {tuple(value.shape)}" for name, value in weights.items()}
    return sorted(ours - theirs), sorted(theirs - ours)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown or "nothing"
