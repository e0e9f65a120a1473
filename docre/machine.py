"""What a configuration asks of the machine, and what to ask instead where there is no GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docre.errors import DocreError

_GPU = ("gpu", "cuda", "mps")
_HALF = ("16-mixed", "16")


@dataclass(frozen=True)
class Misfit:
    """What a machine does not have.

    Args:
        lacking: What was asked for, each with its key.
        options: For the command line, to run here all the same.
    """

    lacking: tuple[str, ...]
    options: tuple[str, ...]


def misfit(trainer: Mapping[str, Any], has_gpu: bool) -> Misfit:
    """Return what a trainer is asked for that this machine has not.

    Several processes on a processor may be wanted, where the accelerator is said to be ``cpu``.

    Args:
        trainer: Settings of the trainer; what is an object and no plain value is not looked at.
        has_gpu: Whether there is one.
    """
    accelerator, devices = trainer.get("accelerator") or "auto", trainer.get("devices") or "auto"
    asks, on_cpu = accelerator in _GPU, accelerator == "cpu" or not has_gpu
    several = not _is_one(devices)
    lacking, options = [], []
    if asks and not has_gpu:
        lacking.append(f"trainer.accelerator is {accelerator}")
    if several and not has_gpu and accelerator != "cpu":
        lacking.append(f"trainer.devices is {devices}")
    if lacking:
        options.append("--trainer.accelerator=cpu")
    if lacking and several:
        options.append("--trainer.devices=1")
    if on_cpu and str(trainer.get("precision")) in _HALF:
        lacking.append(f"trainer.precision is {trainer['precision']}")
        options.append("--trainer.precision=32-true")
    return Misfit(tuple(lacking), tuple(options))


def require_machine(trainer: Mapping[str, Any]) -> None:
    """Refuse settings for a GPU where there is none, before anything is made or fetched.

    Raises:
        DocreError: If so, with the options that run here.
    """
    found = misfit(trainer, has_gpu())
    if found.lacking:
        raise DocreError(
            f"{' and '.join(found.lacking)}, but there is no GPU that PyTorch could use; on a "
            f"processor: "
            f"{' '.join(option.replace('=', ' ') for option in found.options)}"
        )


def has_gpu() -> bool:
    """Say whether PyTorch finds a GPU here."""
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _is_one(devices: Any) -> bool:
    """Say whether one device, or as many as there are, is asked for."""
    if isinstance(devices, list | tuple):
        return False
    return str(devices) in ("auto", "-1", "1")
