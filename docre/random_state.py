"""The state of all random generators, as plain values that a checkpoint can hold."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from docre.data.sampling import distributed_place

RandomStates = dict[str, Any]


def random_states(device: torch.device) -> RandomStates:
    """Return the state of the generators of PyTorch, NumPy and Python.

    Args:
        device: Of the model; a GPU has a generator of its own.
    """
    # nothing of ours draws from NumPy's and Python's own generators, but parts of others may
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    version, internal, gauss_next = random.getstate()
    states: RandomStates = {
        "torch": torch.get_rng_state(),
        "numpy": [kind, torch.from_numpy(np.array(keys, np.int64)), position, has_gauss, gauss],
        "python": [version, torch.tensor(internal), gauss_next],
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: Mapping[str, Any], device: torch.device) -> None:
    """Set the generators to what :func:`random_states` returned."""
    torch.set_rng_state(_on_cpu(states["torch"]))
    kind, keys, position, has_gauss, gauss = states["numpy"]
    keys = _on_cpu(keys).numpy().astype(np.uint32)
    np.random.set_state((kind, keys, position, has_gauss, gauss))  # noqa: NPY002
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(_on_cpu(internal).tolist()), gauss_next))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(_on_cpu(states["cuda"]), device)


def gathered(states: RandomStates) -> list[RandomStates]:
    """Return the states of all processes by rank; each of them has to ask."""
    _, world_size = distributed_place()
    if world_size == 1:
        return [states]
    found: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(found, states)
    return found


def _on_cpu(tensor: Tensor) -> Tensor:
    return tensor.cpu()  # a checkpoint may have been loaded onto the GPU as a whole
