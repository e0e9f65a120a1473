"""What a command hangs on that another one has begun: killed, that one can end nothing any more.

The reading end of a pipe is handed to the command. Nothing is ever written to it; when the process
at the other end is gone, reading ends, whatever that process died of.
"""

from __future__ import annotations

import os
import signal
from collections.abc import MutableMapping
from functools import cache
from threading import Thread

_NAME = "DOCRE_LIFELINE"


def lifeline() -> tuple[int, dict[str, str]]:
    """Return what to hand to a command that is to end with this process.

    Returns:
        A file descriptor that it keeps open, and variables of its environment.
    """
    end, _ = _pipe()
    return end, {_NAME: str(end)}


def end_with_leader(environment: MutableMapping[str, str] = os.environ) -> None:
    """Ask this process to end, as SIGTERM does, once that which has begun it is gone.

    Does nothing in a process that hangs on no other.

    Args:
        environment: What is handed on is taken out: it is not for processes of this one.
    """
    end = environment.pop(_NAME, None)
    if end is not None:
        Thread(target=_wait, args=(int(end),), daemon=True).start()


def _wait(end: int) -> None:
    try:
        while os.read(end, 1):
            pass
    except OSError:
        return  # it was not handed on
    os.kill(os.getpid(), signal.SIGTERM)


@cache
def _pipe() -> tuple[int, int]:
    return os.pipe()
