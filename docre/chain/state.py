"""What has been done: ``chain.json``, and what it was done with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from docre.chain.stages import AnyStage, DistilStage, FitStage, option_text, references
from docre.configs import find_config
from docre.errors import DocreError
from docre.yaml_text import plain_yaml

FILE = "chain.json"
Status = Literal["running", "finished", "failed", "interrupted"]


class StepState(msgspec.Struct):
    """One command of a stage.

    Args:
        command: As people type it, the last time.
        status: ``running`` of a chain that does not run: it was killed.
        seconds: All times together.
    """

    command: str
    status: Status = "running"
    seconds: float = 0.0


class StageState(msgspec.Struct, kw_only=True):
    """One stage.

    Args:
        kind: What it does.
        status: As that of its last command.
        inputs: What it was begun with, each with a checksum or its value.
        steps: Its commands, by name.
        output: Checksum of the file that later stages build on.
        epochs: Epochs it was trained.
        best_epoch: The epoch that was kept, counted from one.
        scores: ``f1`` and ``ign_f1`` by split.
    """

    kind: str
    status: Status = "running"
    inputs: dict[str, str]
    steps: dict[str, StepState] = {}
    output: str | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    scores: dict[str, dict[str, float | None]] = {}

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return sum(step.seconds for step in self.steps.values())


class ChainState(msgspec.Struct):
    """All stages that were begun, by name."""

    stages: dict[str, StageState] = {}


def read_state(folder: Path) -> ChainState:
    """Read what has been done in a folder.

    Raises:
        DocreError: If the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return ChainState()
    try:
        return msgspec.json.decode(path.read_bytes(), type=ChainState)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DocreError(f"{path}: not the state of a chain: {error}") from error


def write_state(folder: Path, state: ChainState) -> None:
    """Write what has been done, whole or not at all."""
    from docre.data.writing import atomic_file

    with atomic_file(folder / FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=1))


@contextmanager
def locked(folder: Path, kind: str = "chain") -> Iterator[int]:
    """Keep others of our kind, such as another chain, out of a folder.

    Yields the file descriptor of the lock. A command that inherits it keeps the lock even when
    what began it is killed. ``filelock`` does not hand its descriptor out.

    Raises:
        DocreError: If another one is at work there.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DocreError(
                f"{folder}: another docre {kind} is at work there, or a command that one left "
                "behind"
            ) from None
        yield file.fileno()


def own_inputs(stage: AnyStage, extra: Mapping[str, Any]) -> dict[str, str]:
    """Return what a stage begins with by itself: configurations and options.

    Raises:
        DocreError: If a configuration is not there or cannot be read.
    """
    inputs = {}
    options = stage.options
    if isinstance(stage, FitStage):
        inputs = {f"config {name}": _config_hash(name) for name in stage.configs}
        # over one another in another order is something else
        inputs["configs"] = " ".join(stage.configs)
        options = {**options, **extra}
    if isinstance(stage, DistilStage):
        inputs["documents"] = stage.documents
    return inputs | {f"option {key}": option_text(value) for key, value in options.items()}


def inputs_of(
    name: str, stage: AnyStage, state: ChainState, extra: Mapping[str, Any]
) -> dict[str, str]:
    """Return all that a stage begins with.

    Raises:
        DocreError: If something is not there.
    """
    inputs = own_inputs(stage, extra)
    for key, other in references(stage).items():
        known = state.stages.get(other)
        if known is None or known.output is None:
            raise DocreError(f"stage {name} builds on stage {other}, which has not finished yet")
        inputs[f"{key} {other}"] = known.output
    if isinstance(stage, DistilStage):
        inputs |= documents_input(name, stage, state.stages.get(name))
    return inputs


def documents_input(name: str, stage: DistilStage, known: StageState | None) -> dict[str, str]:
    """Return the checksum of the documents a stage scores.

    A stage that has finished needs them no more: where they are gone, they are what they were.

    Raises:
        DocreError: If they are missing.
    """
    from docre.data.cache import file_hash

    key, path = f"file {stage.documents}", Path(stage.documents)
    if path.is_file():
        return {key: file_hash(path)}
    if known is not None and known.output is not None and key in known.inputs:
        return {key: known.inputs[key]}
    raise DocreError(f"stage {name}: documents: no such file: {path}")


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the inputs that are others than before."""
    return [key for key in {**before, **now} if before.get(key) != now.get(key)]


def _config_hash(name: str) -> str:
    """Return a hash of what a configuration says; comments do not count."""
    path = find_config(name)
    try:
        content = msgspec.yaml.decode(plain_yaml(path))
    except msgspec.DecodeError as error:
        raise DocreError(f"{path}: this is no YAML: {error}") from error
    plain = msgspec.json.encode(content, enc_hook=str, order="deterministic")
    return hashlib.sha256(plain).hexdigest()
