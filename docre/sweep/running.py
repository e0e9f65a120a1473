"""Runs what has not finished on this machine, and says how it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from docre.chain.commands import ChainStep
from docre.readable import duration
from docre.sweep.places import OUTPUT, LocalPlaces, telling_line
from docre.sweep.pool import Pool
from docre.sweep.work import INTERRUPTED, RunWork


class RunNews:
    """Says what begins and ends.

    Args:
        say: Prints a line.
        number: How many runs the sweep has.
        to_files: Commands print into their folders.

    Attributes:
        statuses: The exit status of each run that has ended.
    """

    def __init__(self, say: Callable[[str], None], number: int, to_files: bool) -> None:
        self.say, self.number, self.to_files = say, number, to_files
        self.statuses: list[int] = []

    def begun(self, work: RunWork, step: ChainStep) -> None:
        """Say the command."""
        self.say(f"{self._title(work)}: {step.text}")

    def ended(self, work: RunWork, status: int, reason: str) -> None:
        """Say how a run has ended, and why if it failed."""
        self.statuses.append(status)
        if status == 0:
            took = duration(work.state.seconds) if work.state else "at once"
            self.say(f"{self._title(work)}: finished, {took}")
            return
        if status == INTERRUPTED:
            self.say(f"{self._title(work)}: interrupted")
            return
        if not reason and self.to_files and (said := telling_line(work.folder)):
            reason = f"{work.folder / OUTPUT}: {said}"
        self.say(f"{self._title(work)}: failed (status {status})" + (f"; {reason}" * bool(reason)))

    def _title(self, work: RunWork) -> str:
        return f"[{work.run.number}/{self.number}] {work.run.name}"


def run_all(works: Sequence[RunWork], number: int, jobs: int, say: Callable[[str], None]) -> int:
    """Run what has not finished.

    Args:
        works: The runs.
        number: How many runs the sweep has.
        jobs: How many at a time.
        say: Prints a line.

    Returns:
        An exit status: that of one that failed, or 0.
    """
    todo = [work for work in works if not work.is_finished]
    if len(todo) < len(works):
        say(f"finished before, nothing has changed: {len(works) - len(todo)} of {len(works)}")
    if not todo:
        return 0
    places = LocalPlaces(min(jobs, len(todo)))
    if places.number > len(places.gpus) > 0:
        say(f"{places.number} runs at a time share {len(places.gpus)} GPUs")
    news = RunNews(say, number, to_files=places.number > 1)
    try:
        Pool(places.number, places, news).run(todo)
    except KeyboardInterrupt:
        return INTERRUPTED
    return max(news.statuses)
