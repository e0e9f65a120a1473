"""Processes of one training, that end when the one that started them does."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_LEADER = "DOCRE_FIRST_PROCESS"
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def end_with_the_first() -> None:
    """Have the system kill this process when the one that started it ends, however it ends.

    A process that waits for another in a collective operation hears no signal that Python handles,
    and keeps its GPU until the operation times out. The first process of a machine is left alone:
    people start it.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[_LEADER] = str(os.getpid())  # for those that this one starts
    elif sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL))
        if os.environ.get(_LEADER, str(os.getppid())) != str(os.getppid()):
            os.kill(os.getpid(), signal.SIGKILL)  # it has ended before the system was told
