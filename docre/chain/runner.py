"""Runs the stages that are still to be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from docre.chain.commands import ChainStep, goes_on, last_checkpoint, output_of, steps_of
from docre.chain.results import epochs_of, has_development_split, new_scores, score_stamps
from docre.chain.stages import Chain, DistilStage, FitStage
from docre.chain.state import (
    FILE,
    ChainState,
    StageState,
    StepState,
    differences,
    documents_input,
    inputs_of,
    read_state,
    write_state,
)
from docre.errors import DocreError

INTERRUPTED = 130

Execute = Callable[[Sequence[str]], int]
Say = Callable[[str], None]


@dataclass
class ChainRun:
    """A chain in its folder.

    Args:
        chain: What to do.
        folder: Where; each stage has a folder there.
        execute: Runs ``docre`` with arguments and returns the exit status.
        say: Prints a line.
        extra: Options for each training.
    """

    chain: Chain
    folder: Path
    execute: Execute
    say: Say
    extra: Mapping[str, Any] = field(default_factory=dict)
    state: ChainState = field(init=False)
    advice: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.state = read_state(self.folder)
        for entry in self.state.stages.values():
            if entry.status == "running":  # and the chain was killed before it could say more
                entry.status = "interrupted"

    def forget(self, names: Sequence[str]) -> None:
        """Put stages aside, to begin them again; nothing is deleted."""
        for name in names:
            self.state.stages.pop(name, None)
        # before their folders go: a stage without one must not pass for finished
        write_state(self.folder, self.state)
        for name in names:
            run = self.folder / name
            if run.exists():
                number = 1
                while (aside := run.with_name(f"{name}.{number}")).exists():
                    number += 1
                run.rename(aside)
                self.say(f"{name}: put aside as {aside}")

    def run(self, names: Sequence[str]) -> int:
        """Run stages up to the first that fails, and return its exit status or 0.

        ``advice`` says then how to go on.

        Raises:
            DocreError: If a stage was begun with other inputs, or what it builds on is not there.
        """
        for name in names:
            status = self._stage(name)
            if status:
                self.advice = self._advice(name, status)
                return status
        return 0

    def check_documents(self, names: Sequence[str], again: bool = False) -> None:
        """Check that the documents of stages are there.

        Args:
            names: The stages.
            again: They are all begun again, also those that have finished.

        Raises:
            DocreError: If a file is missing.
        """
        for name in names:
            stage = self.chain.stages[name]
            known = None if again else self.state.stages.get(name)
            if isinstance(stage, DistilStage):
                documents_input(name, stage, known)

    def todo(self, name: str) -> list[ChainStep]:
        """Return the commands of a stage that have not finished."""
        known = self.state.stages.get(name)
        done = {step for step, s in known.steps.items() if s.status == "finished"} if known else ()
        steps = steps_of(self.chain, name, self.folder, self.extra)
        return [goes_on(step) for step in steps if step.name not in done]

    def _stage(self, name: str) -> int:
        entry = self._begun(name)
        todo = self.todo(name)
        if not todo:
            self.say(f"{self._title(name)}: finished before, nothing has changed")
        for step in todo:
            if step.name == "validate" and not has_development_split(step.run):
                continue
            status = self._step(name, entry, step)
            if status:
                return status
        entry.status = "finished"
        write_state(self.folder, self.state)
        return 0

    def _begun(self, name: str) -> StageState:
        """Return what is known of a stage, which is begun if nothing is."""
        stage, run = self.chain.stages[name], self.folder / name
        inputs = inputs_of(name, stage, self.state, self.extra)
        entry = self.state.stages.get(name)
        if entry is None:
            if run.exists():
                raise DocreError(
                    f"{run} is there, but {self.folder / FILE} knows nothing of it: move it away, "
                    f"or let --from {name} put it aside"
                )
            entry = self.state.stages[name] = StageState(kind=stage.kind, inputs=inputs)
        if entry.output is not None and not run.exists():
            raise DocreError(f"stage {name} has finished, but {run} is gone: --from {name}")
        changed = differences(entry.inputs, inputs)
        if changed and (self._has_finished_steps(entry) or last_checkpoint(run).exists()):
            raise DocreError(
                f"stage {name} was begun with other inputs; changed since: {', '.join(changed)}. "
                f"--from {name} begins it and all behind it again, and puts aside what they have; "
                "or take the change back"
            )
        # what failed before it learnt anything may be mended
        entry.inputs, entry.kind = inputs, stage.kind
        return entry

    def _step(self, name: str, entry: StageState, step: ChainStep) -> int:
        known = entry.steps.get(step.name)
        mine = StepState(step.text, seconds=known.seconds if known else 0.0)
        entry.steps[step.name], entry.status = mine, "running"
        write_state(self.folder, self.state)
        self.say(f"{self._title(name)}: {step.text}")
        if self.chain.stages[name].kind == "distil":
            self._make_room(self.folder / name)
        before, began = score_stamps(step.run), monotonic()
        status = INTERRUPTED
        try:
            status = self.execute(step.arguments)
        except KeyboardInterrupt:
            mine.status = "interrupted"
        else:
            mine.status = "failed" if status else "finished"
        mine.seconds += monotonic() - began
        entry.status = "running" if status == 0 else mine.status
        if status == 0:
            entry.scores |= new_scores(step.run, before)
            if step.name == self.chain.stages[name].kind:
                self._finish(name, entry, step)
        write_state(self.folder, self.state)
        return status

    @staticmethod
    def _make_room(folder: Path) -> None:
        """Make the folder of a stage, without what a killed command has left there unfinished."""
        folder.mkdir(exist_ok=True)
        for left in folder.glob(".*.part"):
            left.unlink()

    def _finish(self, name: str, entry: StageState, step: ChainStep) -> None:
        """Remember what a stage leaves to later ones."""
        from docre.data.cache import file_hash

        stage, run = self.chain.stages[name], self.folder / name
        try:
            output = output_of(stage, run)
            entry.output = None if output is None else file_hash(output)
            if isinstance(stage, FitStage):
                entry.epochs, entry.best_epoch = epochs_of(run)
        except DocreError as error:
            entry.status = entry.steps[step.name].status = "failed"
            write_state(self.folder, self.state)
            raise DocreError(f"stage {name}: {step.text} left nothing behind: {error}") from error

    def _title(self, name: str) -> str:
        names = list(self.chain.stages)
        return f"[{names.index(name) + 1}/{len(names)}] {name}"

    def _advice(self, name: str, status: int) -> str:
        entry = self.state.stages[name]
        kept = entry.kind == "fit" and (
            self.todo(name)[0].name != "fit" or last_checkpoint(self.folder / name).exists()
        )
        how = "goes on from where it was" if kept else "begins again"
        ended = "was interrupted" if entry.status == "interrupted" else f"failed (status {status})"
        return (
            f"stage {name} {ended}. The same command without --from goes on: what has finished is "
            f"skipped and {name} {how}; with --from {name} it begins from nothing."
        )

    @staticmethod
    def _has_finished_steps(entry: StageState) -> bool:
        return any(step.status == "finished" for step in entry.steps.values())
