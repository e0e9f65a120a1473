"""As many runs at a time as there are places; one that fails does not stop the others."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from docre.chain.commands import ChainStep
from docre.chain.process import Terminated, exit_status, termination_raises
from docre.chain.state import locked
from docre.errors import DocreError
from docre.sweep.work import INTERRUPTED, RunWork


class RunningCommand(Protocol):
    """A command that runs, as :class:`subprocess.Popen` has it."""

    def poll(self) -> int | None:
        """Return what it ended with, or nothing yet."""

    def wait(self) -> int:
        """Wait for its end."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Starter(Protocol):
    """What starts commands in the places of a machine."""

    def __call__(self, step: ChainStep, place: int, folder: Path, lock: int) -> RunningCommand:
        """Start a command.

        Args:
            step: The command.
            place: Number of the place, which no other command has meanwhile.
            folder: Folder of its run.
            lock: File descriptor that it keeps open as long as it runs.
        """


class Watcher(Protocol):
    """What is told of runs."""

    def begun(self, work: RunWork, step: ChainStep) -> None:
        """Be told of a command that is to start."""

    def ended(self, work: RunWork, status: int, reason: str) -> None:
        """Be told of a run that has ended.

        Args:
            work: The run.
            status: Its exit status.
            reason: Why it failed, if it was not by a command.
        """


@dataclass
class _Live:
    """A run that is under way."""

    work: RunWork
    commands: Generator[ChainStep, int, int]
    lock: int
    held: ExitStack
    command: RunningCommand | None = None


class Pool:
    """Runs the commands of many runs, those of each one after the other.

    Args:
        places: How many at a time.
        start: Starts a command.
        watcher: Told of what begins and ends.
        pause: Seconds between looks at what is running.
    """

    def __init__(
        self,
        places: int,
        start: Starter,
        watcher: Watcher,
        pause: float = 0.1,
    ) -> None:
        self.places, self.start, self.watcher, self.pause = places, start, watcher, pause
        self._live: dict[int, _Live] = {}

    def run(self, works: Sequence[RunWork]) -> None:
        """Run them all.

        Raises:
            KeyboardInterrupt: When all commands have ended after Ctrl-C, which they get too, or
                after SIGTERM, which is handed on to them.
        """
        waiting = deque(works)
        with termination_raises():
            try:
                while waiting or self._live:
                    for place in range(self.places):
                        if place not in self._live and waiting:
                            self._begin(waiting.popleft(), place)
                    if not self._advance():
                        time.sleep(self.pause)
            except (KeyboardInterrupt, Exception) as error:
                # unlike Ctrl-C, anything else came to us alone
                hand_on = isinstance(error, Terminated) or not isinstance(error, KeyboardInterrupt)
                self._stop(hand_on)
                raise

    def _begin(self, work: RunWork, place: int) -> None:
        held = ExitStack()
        try:
            lock = held.enter_context(locked(work.folder, "sweep"))
            work.reload(is_mine=True)  # another sweep may have been here since
            work.check()
        except DocreError as error:
            held.close()
            self.watcher.ended(work, 1, str(error))
            return
        live = self._live[place] = _Live(work, work.commands(), lock, held)
        self._next(place, live, None)

    def _advance(self) -> bool:
        """Go on with what has ended, and return whether anything has."""
        ended = False
        for place, live in list(self._live.items()):
            status = live.command.poll() if live.command else None
            if status is not None:
                ended = True
                self._next(place, live, exit_status(status))
        return ended

    def _next(self, place: int, live: _Live, status: int | None) -> None:
        """Start the next command of a run, or end the run."""
        try:
            step = next(live.commands) if status is None else live.commands.send(status)
        except StopIteration as end:
            self._end(place, live, end.value)
        except DocreError as error:  # a configuration that has gone since
            self._end(place, live, 1, str(error))
        else:
            self.watcher.begun(live.work, step)
            live.command = self.start(step, place, live.work.folder, live.lock)

    def _end(self, place: int, live: _Live, status: int, reason: str = "") -> None:
        del self._live[place]
        live.held.close()
        self.watcher.ended(live.work, status, reason or live.work.reason)

    def _stop(self, hand_on: bool) -> None:
        """Let all commands end, and remember that they were cut short."""
        commands = [live.command for live in self._live.values() if live.command]
        if hand_on:
            for command in commands:
                command.terminate()
        try:
            for command in commands:
                command.wait()
        except KeyboardInterrupt:  # whoever asks again wants them to end now
            for command in commands:
                command.kill()
                command.wait()
        for place, live in list(self._live.items()):
            try:
                live.commands.throw(KeyboardInterrupt)
            except (StopIteration, KeyboardInterrupt):
                self._end(place, live, INTERRUPTED)
