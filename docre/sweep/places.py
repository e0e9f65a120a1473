"""What each of several commands at a time gets of the machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from docre.chain.commands import ChainStep
from docre.chain.process import start

OUTPUT = "output.txt"


class LocalPlaces:
    """Starts commands on this machine.

    One at a time has all of it, and prints where we do. Several have a share of the cores and a
    GPU each, where there are any, and print into their folders.

    Args:
        number: Commands at a time.
        cores: Cores there are; counted if left out.
        gpus: Names of the GPUs there are, as ``CUDA_VISIBLE_DEVICES`` has them; looked for if left
            out.
    """

    def __init__(
        self, number: int, cores: int | None = None, gpus: Sequence[str] | None = None
    ) -> None:
        self.number = number
        self.cores = available_cores() if cores is None else cores
        self.gpus: Sequence[str] = ()
        if number > 1:
            self.gpus = available_gpus(os.environ) if gpus is None else gpus

    def __call__(
        self, step: ChainStep, place: int, folder: Path, lock: int
    ) -> subprocess.Popen[bytes]:
        """Start a command."""
        if self.number == 1:
            return start(step.arguments, lock)
        with (folder / OUTPUT).open("ab") as output:
            output.write(f"$ {step.text}\n".encode())
            output.flush()
            return start(step.arguments, lock, self.environment(place), output)

    def environment(self, place: int) -> dict[str, str]:
        """Return the variables of a place; what somebody has set for all stays."""
        if self.number == 1:
            return {}
        made = {}
        if "OMP_NUM_THREADS" not in os.environ:
            made["OMP_NUM_THREADS"] = str(max(1, self.cores // self.number))
        if self.gpus:
            made["CUDA_VISIBLE_DEVICES"] = self.gpus[place % len(self.gpus)]
        return made


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the GPUs that this process may use."""
    given = environment.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        import torch

        return [str(number) for number in range(torch.cuda.device_count())]
    names = [name.strip() for name in given.split(",")]
    # as CUDA reads it: nothing behind what is no device
    end = next((place for place, name in enumerate(names) if name in ("", "-1")), len(names))
    return names[:end]


def telling_line(folder: Path) -> str:
    """Return the line of the last command's output that says most likely why it failed.

    That is the last one with ``error:``, of ours or of Python; without one the last line.
    """
    path = folder / OUTPUT
    if not path.exists():
        return ""
    last = ""
    for line in reversed(path.read_text(encoding="utf-8", errors="replace").split("\n")):
        text = line.strip()
        if text.startswith("$ docre "):
            break
        if "error:" in text.lower():
            return text
        last = last or text
    return last
