"""Whether ``docre fit`` understands all cells, each as another training: asked before any begins.

What was understood is kept in ``sweep.json`` of the folder, so that it is asked once.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import docre
from docre.chain.state import own_inputs
from docre.errors import DocreError
from docre.sweep.cells import Sweep, SweepRun
from docre.sweep.choices import some

FILE = "sweep.json"


class UnderstoodCell(msgspec.Struct):
    """What the options of a cell come to.

    Args:
        digest: Of all options with their values.
        accelerator: What it is trained on, as the trainer has it.
        error: What ``docre fit`` says of it, if it is wrong.
    """

    digest: str = ""
    accelerator: str = ""
    error: str = ""


class _Kept(msgspec.Struct):
    """The file.

    Args:
        inputs: Digest of what was asked.
        cells: The answers, by the name of the cell.
    """

    inputs: str
    cells: dict[str, UnderstoodCell]


def understand(
    sweep: Sweep,
    root: Path,
    extra: Mapping[str, Any],
    say: Callable[[str], None],
    keep: bool = True,
) -> dict[str, UnderstoodCell]:
    """Return what each cell comes to, by its name.

    Args:
        sweep: The sweep.
        root: Its folder.
        extra: Options for all trainings.
        say: Prints a line; called if it takes seconds.
        keep: Remember it in the folder.

    Raises:
        DocreError: If a cell is not understood, or two are the same training.
    """
    runs = sweep.runs(extra)[: len(sweep.cells)]  # each cell once
    asked = _digest(runs)
    kept = _read(root / FILE)
    if kept is not None and kept.inputs == asked:
        return kept.cells
    say(f"checking the options of {len(runs)} cells")
    answers = _ask([run.steps(root)[0].arguments for run in runs])
    cells = {run.cell: answer for run, answer in zip(runs, answers, strict=True)}
    wrong = [
        f"{sweep.path}: {some(names)}: {error}"
        for error, names in _together((name, cell.error) for name, cell in cells.items()).items()
        if error
    ]
    if wrong:
        raise DocreError("\n".join(wrong))
    same = [
        f"{sweep.path}: {some(names)} are the same training, all options are equal"
        for names in _together((name, cell.digest) for name, cell in cells.items()).values()
        if len(names) > 1
    ]
    if same:
        raise DocreError("\n".join(same))
    if keep:
        _write(root / FILE, _Kept(asked, cells))
    return cells


def _ask(commands: Sequence[Sequence[str]]) -> list[UnderstoodCell]:
    """Let a process of its own parse them, which finds classes where a training does."""
    done = subprocess.run(
        [sys.executable, "-m", "docre.fit_check"],
        input=msgspec.json.encode(commands),
        capture_output=True,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")
        raise DocreError(f"the options cannot be checked (status {done.returncode}): {said[-1]}")
    return msgspec.json.decode(done.stdout, type=list[UnderstoodCell])


def _digest(runs: Iterable[SweepRun]) -> str:
    """Return a digest of all that the answers depend on."""
    inputs = {run.cell: own_inputs(run.stage, {}) for run in runs}
    return hashlib.sha256(msgspec.json.encode([docre.__version__, inputs])).hexdigest()


def _together(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names that have each value."""
    found: dict[str, list[str]] = {}
    for name, value in named:
        found.setdefault(value, []).append(name)
    return found


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.MsgspecError, RecursionError):  # it can be asked again
        return None


def _write(path: Path, kept: _Kept) -> None:
    from docre.data.writing import atomic_file

    with atomic_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept), indent=1))
