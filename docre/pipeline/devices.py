"""Where a model runs."""

from __future__ import annotations

import torch

from docre.errors import DocreError


def device_named(name: str | torch.device | None) -> torch.device:
    """Return the device of that name; a GPU if there is one, without a name.

    Raises:
        DocreError: If there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DocreError(f"device: {name!r} is none; for example cpu, cuda, cuda:1") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DocreError(f"device: {name} is asked for, but torch sees no GPU here; use cpu")
    try:
        torch.zeros(1, device=device).tolist()
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        first = str(error).strip().partition("\n")[0]
        raise DocreError(f"device: {name} cannot be used here: {first}") from error
    return device
