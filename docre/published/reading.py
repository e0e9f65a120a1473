"""Reading published weights without running anything that is in their file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from docre.errors import DocreError
from docre.hub.safetensors_file import read_safetensors

# Where trainers keep the weights in what they save.
_WITHIN = ("state_dict", "checkpoint", "model_state_dict", "model")
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


def read_weights(path: str | Path, stand_ins: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return the weights in a file, in float32 where they are of floating point.

    Of ``.safetensors`` that is all there is. Other files are pickles: PyTorch reads them by its
    rules for weights, which make tensors and plain values and refuse everything else.

    Args:
        path: A file of weights, or a checkpoint that has them.
        stand_ins: What names of classes begin with whose objects are read as empty ones: nothing is
            imported for them and nothing of theirs is run.

    Raises:
        DocreError: If there is no such file, it is damaged, or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder: name the file of weights in it" if path.is_dir() else "does not exist"
        raise DocreError(f"{path} {what} ({', '.join(_SUFFIXES)})")
    if path.suffix == ".safetensors":
        return _in_float32(_weights_within(read_safetensors(path), path))
    return _in_float32(_weights_within(_read_pickle(path, stand_ins), path))


def without_wrapper(weights: Mapping[str, Tensor], wrappers: Sequence[str]) -> dict[str, Tensor]:
    """Return weights without what a trainer put before all their names.

    Args:
        weights: As they were read.
        wrappers: What may stand there; each is taken off if all names begin with it.
    """
    found = dict(weights)
    for wrapper in wrappers:
        if found and all(name.startswith(wrapper) for name in found):
            found = {name.removeprefix(wrapper): value for name, value in found.items()}
    return found


def _read_pickle(path: Path, stand_ins: Sequence[str]) -> Any:
    foreign = _foreign_names(path)
    refused = [name for name in foreign if not name.startswith(tuple(stand_ins))]
    if refused:
        raise _refusal(path, refused)
    known: Any = [(type("StandIn", (_StandIn,), {}), name) for name in foreign]
    try:
        with torch.serialization.safe_globals(known) if known else nullcontext():
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):  # of an older file, whose names cannot be listed beforehand
            raise _refusal(path, []) from error
        raise _damaged(path) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path) from error


class _StandIn(dict[Any, Any]):
    """An object of a class that is not here: takes whatever the file says of it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__()


def _foreign_names(path: Path) -> list[str]:
    """Return the names of functions and classes that are no part of weights; runs none of them."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # not of the newer form, or damaged: whoever reads it in earnest says so
        return []


def _refusal(path: Path, names: Sequence[str]) -> DocreError:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return DocreError(
        f"{path} holds more than weights{f' ({shown})' if names else ''}, and to read that would "
        "be to run what the file says; it was not read. If you trust the file, write its weights "
        "alone with the code it comes from:\n"
        "  found = torch.load(FILE, map_location='cpu', weights_only=False)\n"
        "  torch.save({name: value for name, value in found['state_dict'].items()}, 'weights.pt')"
    )


def _damaged(path: Path) -> DocreError:
    return DocreError(f"{path} is no file of weights that can be read: damaged, or something else")


def _weights_within(found: Any, path: Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint: all of it, or what is under one of the usual keys."""
    if isinstance(found, Mapping):
        for inner in (found, *(found.get(key) for key in _WITHIN)):
            if isinstance(inner, Mapping) and inner and _is_weights(inner):
                return dict(inner)
        shown = ", ".join(map(str, list(found)[:5]))
        what = f"it holds {shown}" if found else "it is empty"
    else:
        what = f"it holds a {type(found).__name__}"
    raise DocreError(f"{path} has no weights by name; {what}")


def _is_weights(found: Mapping[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())


def _in_float32(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
