"""Tensors from a safetensors file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from docre.errors import DocreError


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        DocreError: If it is none, or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DocreError(f"{path} is no safetensors file that can be read: {error}") from error
    return found
