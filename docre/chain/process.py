"""A command of docre in a process of its own, so that memory and devices are free behind it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """Somebody asked this process to end (SIGTERM)."""


def execute(arguments: Sequence[str], lock: int) -> int:
    """Run ``docre`` with some arguments and return its exit status, 128 and more for a signal.

    Args:
        arguments: What stands behind ``docre``.
        lock: File descriptor that the command keeps open as long as it runs.

    Raises:
        KeyboardInterrupt: When the command has ended after Ctrl-C, which it gets too.
    """
    words = [sys.executable, "-m", "docre", *arguments]
    with _termination_raises():
        process = subprocess.Popen(words, pass_fds=(lock,))
        try:
            status = process.wait()
        except KeyboardInterrupt as interrupt:
            if isinstance(interrupt, Terminated):  # unlike Ctrl-C, this came to us alone
                process.terminate()
            _wait(process)
            raise
    return status if status >= 0 else 128 - status


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Let a command end by itself; whoever asks again wants it to end now."""
    try:
        process.wait()
    except KeyboardInterrupt:
        process.kill()
        process.wait()


@contextmanager
def _termination_raises() -> Iterator[None]:
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
