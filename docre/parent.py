"""Training in stages: begin from what an earlier run has learnt."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import torch

from docre.differences import differing_weights
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


def read_checkpoint(path: str | Path | IO[bytes], mmap: bool = False) -> dict[str, Any]:
    """Return what is in a checkpoint, never unpickling.

    Args:
        path: The file, or one that is open.
        mmap: Leave weights on the disk until they are used.

    Raises:
        DocreError: If it is damaged or something else.
    """
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise DocreError(f"{path} is no checkpoint that can be read: {_why(error)}") from error
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise DocreError(f"{path} is no checkpoint that can be read: it holds a {kind} alone")
    return found


def facts_of(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a checkpoint of ours says of its model; empty for those of other projects."""
    found = checkpoint.get("docre")
    return found if isinstance(found, Mapping) else {}


def require_family(checkpoint: Mapping[str, Any], family: str) -> Mapping[str, Any]:
    """Return what a checkpoint says of its model.

    Raises:
        DocreError: If it is of another project, or of a model of another family.
    """
    known = facts_of(checkpoint)
    if not known:
        raise DocreError("this is not a checkpoint of docre: it does not name its relations")
    theirs = known.get("model", "DocREModel")
    if theirs != family:
        raise DocreError(f"this is a checkpoint of {theirs}, not of {family}")
    return known


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        return error.strerror or str(error)
    if isinstance(error, pickle.UnpicklingError) and "nsupported" in str(error):
        return "it holds objects of Python, which nobody unpickles here; of another project?"
    return "it is damaged, or cut off"


def encoder_config_of(checkpoint: str | Path | None) -> dict[str, Any] | None:
    """Return the architecture in a checkpoint, whose weights then need not be fetched."""
    if not checkpoint or not Path(checkpoint).is_file():
        return None
    known = read_checkpoint(checkpoint, mmap=True)
    config: dict[str, Any] | None = facts_of(known).get("encoder_config")
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
        source = _source(path, model.family)
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
    ours = {n: v for n, v in model.state_dict().items() if n.startswith(model.inherited)}
    differing = differing_weights(weights, ours, here="this run")
    if differing:
        raise DocreError(
            f"init_from: the parts of {source.parent.path} are others than those of this run; "
            f"{differing}"
        )
    model.load_state_dict(weights, strict=False)
    return source.parent


class _Source(NamedTuple):
    """What a training begins from."""

    relations: Sequence[str]
    types: Sequence[str]
    weights: Mapping[str, torch.Tensor]
    parent: Parent


def _source(path: str | Path, family: str) -> _Source:
    """Read it from wherever it is; a checkpoint has to be of the family."""
    from docre.hub.exported_folder import is_exported
    from docre.hub.remote import download, is_on_hub

    if is_exported(Path(path)):
        return _exported(Path(path))
    if is_on_hub(path):
        return _exported(download(str(path)), str(path))
    return _trained(path, family)


def _trained(path: str | Path, family: str) -> _Source:
    """Read a checkpoint of a family."""
    from docre.data.cache import file_hash

    source = best_checkpoint(path)
    checkpoint = read_checkpoint(source)
    try:
        known = require_family(checkpoint, family)
        if "state_dict" not in checkpoint:
            raise DocreError("there are no weights in it")
    except DocreError as error:
        raise DocreError(f"{source}: {error}") from error
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
