"""The comparison that a sweep ends in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docre.sweep.cells import Sweep
from docre.sweep.work import RunWork


def compare_finished(sweep: Sweep, root: Path, works: Sequence[RunWork]) -> str:
    """Compare the runs that have finished: on the terminal, and in files of the folder.

    Args:
        sweep: The sweep.
        root: Its folder, which gets ``sweep.md``, ``sweep.csv`` and ``sweep.png``.
        works: All runs.

    Returns:
        What is missing, in a line; nothing if all is there.
    """
    from docre.comparison.command import compare

    finished = [work for work in works if work.is_finished]
    cells = {work.run.cell for work in finished}
    if sweep.baseline not in cells:
        return f"no comparison yet: no run of {sweep.baseline}, the baseline, has finished"
    compare(
        [str(work.folder) for work in finished],
        split="test" if sweep.test else "dev",
        baseline=str(root / sweep.baseline),
        markdown=root / "sweep.md",
        csv=root / "sweep.csv",
        plot=root / "sweep.png",
    )
    missing = len(works) - len(finished)
    return f"{missing} of {len(works)} runs are missing in the comparison" if missing else ""
