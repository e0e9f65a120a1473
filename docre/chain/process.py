"""A command of docre in a process of its own, so that memory and devices are free behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO, NoReturn

from docre.chain.lifeline import lifeline


class Terminated(KeyboardInterrupt):
    """Somebody asked this process to end (SIGTERM)."""


def start(
    arguments: Sequence[str],
    lock: int,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Begin ``docre`` with some arguments. It ends when this process is killed.

    Args:
        arguments: What stands behind ``docre``.
        lock: File descriptor that the command keeps open as long as it runs.
        environment: Variables it gets beside those of this process.
        output: Where it prints, errors too; else where this process does.
    """
    end, variables = lifeline()
    return subprocess.Popen(
        [sys.executable, "-m", "docre", *arguments],
        pass_fds=(lock, end),
        env={**os.environ, **(environment or {}), **variables},
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
    )


def exit_status(returned: int) -> int:
    """Return the status as a shell has it: 128 and more for a signal."""
    return returned if returned >= 0 else 128 - returned


def execute(arguments: Sequence[str], lock: int) -> int:
    """Run ``docre`` with some arguments and return its exit status, 128 and more for a signal.

    Args:
        arguments: What stands behind ``docre``.
        lock: File descriptor that the command keeps open as long as it runs.

    Raises:
        KeyboardInterrupt: When the command has ended after Ctrl-C, which it gets too.
    """
    process = None
    with termination_raises():
        try:
            with _termination_held():
                process = start(arguments, lock)
            status = process.wait()
        except KeyboardInterrupt as interrupt:
            if process is None:
                raise
            if isinstance(interrupt, Terminated):  # unlike Ctrl-C, this came to us alone
                process.terminate()
            _wait(process)
            raise
    return exit_status(status)


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Let a command end by itself; whoever asks again wants it to end now."""
    try:
        process.wait()
    except KeyboardInterrupt:
        process.kill()
        process.wait()


@contextmanager
def _termination_held() -> Iterator[None]:
    """Let SIGTERM wait: a command that is just being started would be forgotten, and run on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    for number in came:
        os.kill(os.getpid(), number)


@contextmanager
def termination_raises() -> Iterator[None]:
    """Let SIGTERM raise :class:`Terminated` in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
