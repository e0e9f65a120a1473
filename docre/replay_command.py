"""``docre replay``: a step whose loss was not finite, run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def replay_step(path: Path, device: str = "cpu", allow: Sequence[str] | None = None) -> int:
    """Run a step again that a training kept because its loss or gradient was not finite.

    Says for each batch its documents, its loss, and where numbers stop being finite. Exit code 0
    if one did again, 1 if all were finite this time.

    Args:
        path: nonfinite/step_N.ckpt in a run folder, or the run folder for its last one.
        device: Where to run it, for example cuda.
        allow: Packages beside docre whose classes the model may be made of.

    Returns:
        The exit code.

    Raises:
        DocreError: If there is no such step, or its model cannot be made.
    """
    from rich.console import Console

    from docre.console import say_line
    from docre.pipeline.devices import device_named
    from docre.quiet import be_quiet
    from docre.replay.lines import lines_of
    from docre.replay.replaying import replay

    be_quiet()
    found = replay(path, device=device_named(device), allow=allow or ())
    for line in lines_of(found):
        say_line(Console(), line)
    return 0 if found.came_up else 1
