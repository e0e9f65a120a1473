"""One run of a sweep in its folder: what is to be done, and ``sweep_run.json`` of what has been."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import msgspec

from docre.chain.commands import ChainStep, goes_on, last_checkpoint
from docre.chain.results import epochs_of, has_development_split, new_scores, score_stamps
from docre.chain.state import StageState, StepState, differences, locked, own_inputs
from docre.errors import DocreError
from docre.sweep.cells import SweepRun

FILE = "sweep_run.json"
INTERRUPTED = 130


@dataclass
class RunWork:
    """A run and its state.

    Args:
        run: What to train.
        root: Folder of the sweep.

    Attributes:
        folder: Its folder.
        state: What has been done; nothing if it was never begun.
        reason: Why it failed, if its commands did not.
    """

    run: SweepRun
    root: Path
    folder: Path = field(init=False)
    state: StageState | None = field(init=False)
    reason: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.folder = self.run.folder(self.root)
        self.reload()

    @property
    def status(self) -> str:
        """Return what has become of it."""
        if self.state is None:
            return "not begun"
        return "to be tested" if self._is_finished and self.todo() else self.state.status

    @property
    def is_finished(self) -> bool:
        """Return whether nothing is left to be done."""
        return self._is_finished and not self.todo()

    def reload(self, is_mine: bool = False) -> None:
        """Read what has been done, by this process or another one.

        Args:
            is_mine: This process has the lock of the folder.

        Raises:
            DocreError: If the file is damaged.
        """
        self.state = read_run(self.folder)
        if self.state is None or self.state.status != "running":
            return
        if is_mine or not _is_locked(self.folder):  # whoever ran it is gone
            self.state.status = "interrupted"

    def check(self) -> None:
        """Check that what is there is of this run.

        Raises:
            DocreError: If it is not, or a configuration cannot be read.
        """
        inputs = own_inputs(self.run.stage, {})
        learnt = last_checkpoint(self.folder).exists()
        if self.state is None:
            if learnt or (self.folder / "config.yaml").exists():
                raise DocreError(f"{self.folder} is there, but no sweep has made it: move it away")
            return
        changed = differences(self.state.inputs, inputs)
        if changed and (learnt or self._finished_steps):
            raise DocreError(
                f"{self.folder} was begun with other inputs; changed since: {', '.join(changed)}. "
                "Move it away to begin it again, or take the change back"
            )
        if self._finished_steps and not (self.folder / "run.json").exists():
            raise DocreError(f"{self.folder} has been trained, but the run in it is gone")

    def todo(self) -> list[ChainStep]:
        """Return the commands that have not finished."""
        done = self._finished_steps
        if "fit" in done and not has_development_split(self.folder):
            done = {*done, "validate"}
        return [goes_on(step) for step in self.run.steps(self.root) if step.name not in done]

    def commands(self) -> Generator[ChainStep, int, int]:
        """Yield the commands that have not finished, and take the exit status of each.

        The lock of the folder has to be held. ``KeyboardInterrupt`` is what to throw in when a
        command was cut short.

        Returns:
            The exit status of the run.
        """
        inputs = own_inputs(self.run.stage, {})
        if self.state is None:
            self.state = StageState(kind="fit", inputs=inputs)
        self.state.inputs = inputs  # what has learnt nothing yet may have been mended
        while todo := self.todo():
            status = yield from self._step(self.state, todo[0])
            if status:
                return status
        self.state.status = "finished"
        write_run(self.folder, self.state)
        return 0

    def _step(self, state: StageState, step: ChainStep) -> Generator[ChainStep, int, int]:
        before = state.steps.get(step.name)
        mine = StepState(step.text, seconds=before.seconds if before else 0.0)
        state.steps[step.name], state.status = mine, "running"
        write_run(self.folder, state)
        stamps, began = score_stamps(step.run), monotonic()
        try:
            status = yield step
            mine.status = "failed" if status else "finished"
        except KeyboardInterrupt:
            status, mine.status = INTERRUPTED, "interrupted"
        mine.seconds += monotonic() - began
        if status == 0:
            status = self._take(state, step, stamps)
        if status:
            state.status = mine.status
        write_run(self.folder, state)
        return status

    def _take(self, state: StageState, step: ChainStep, stamps: dict[str, int]) -> int:
        """Remember what a command has left; one that has left nothing has failed."""
        from docre.parent import best_checkpoint

        try:
            if step.name == "fit":
                best_checkpoint(step.run)
                if not (step.run / "run.json").exists():
                    raise DocreError(f"no run.json in {step.run}")
                state.epochs, state.best_epoch = epochs_of(step.run)
            state.scores |= new_scores(step.run, stamps)
        except DocreError as error:
            self.reason = f"{step.text} left nothing behind: {error}"
            state.steps[step.name].status = "failed"
            return 1
        return 0

    @property
    def _is_finished(self) -> bool:
        return self.state is not None and self.state.status == "finished"

    @property
    def _finished_steps(self) -> set[str]:
        if self.state is None:
            return set()
        return {name for name, step in self.state.steps.items() if step.status == "finished"}


def read_run(folder: Path) -> StageState | None:
    """Read what has been done in a run folder, if anything.

    Raises:
        DocreError: If the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=StageState)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DocreError(f"{path}: not the state of a run: {error}") from error


def write_run(folder: Path, state: StageState) -> None:
    """Write what has been done, whole or not at all."""
    from docre.data.writing import atomic_file

    with atomic_file(folder / FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=1))


def _is_locked(folder: Path) -> bool:
    """Return whether a process is at work in a folder."""
    try:
        with locked(folder):
            return False
    except DocreError:
        return True
