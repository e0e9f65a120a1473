"""What the log of a training says: how long it took, and the development scores on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from docre.comparison.scored_on import is_overall

_PREFIX = "val/"


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """The event files of one run.

    Args:
        seconds: From the first to the last entry of each file, added up: a training that went on
            later has several.
        curves: Each development score by the number of updates, in order.
    """

    seconds: float | None
    curves: dict[str, dict[int, float]]

    def at(self, step: int) -> dict[str, float]:
        """Return the scores after so many updates, those that there are."""
        return {name: curve[step] for name, curve in self.curves.items() if step in curve}


def read_log(folder: Path) -> TrainingLog:
    """Read the event files of a run; a file that was cut short is read up to there."""
    # slow to import, and only needed here
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    seconds: float | None = None
    curves: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        times = []
        for event in LegacyEventFileLoader(str(path)).Load():
            times.append(event.wall_time)
            for value in event.summary.value:
                if value.tag.startswith(_PREFIX) and value.WhichOneof("value") == "simple_value":
                    curve = curves.setdefault(value.tag.removeprefix(_PREFIX), {})
                    curve[event.step] = value.simple_value
        if times:
            seconds = (seconds or 0.0) + max(times) - min(times)
    return TrainingLog(seconds, {name: dict(sorted(c.items())) for name, c in curves.items()})


def kept_step(folder: Path, log: TrainingLog, score: str | None, mode: str) -> int | None:
    """Return the step of the epoch that was kept.

    It is the one of ``best.ckpt``. Where that file is gone, it is found in the log.

    Args:
        folder: Of the run.
        log: Its log.
        score: What the epoch was selected on; ``None`` for the last epoch.
        mode: ``max`` or ``min``.

    Raises:
        DocreError: If the checkpoint is damaged.
    """
    checkpoint = folder / "checkpoints" / "best.ckpt"
    # others may be logged at steps of their own
    steps = {step for name, curve in log.curves.items() if is_overall(name) for step in curve}
    if checkpoint.exists():
        from docre.parent import read_checkpoint

        # logged with the number of the last update, counted from zero
        step = int(read_checkpoint(checkpoint, mmap=True)["global_step"]) - 1
        if step in steps:
            return step
    if score is None:
        return max(steps, default=None)
    curve = {step: value for step, value in log.curves.get(score, {}).items() if step in steps}
    pick = min if mode == "min" else max
    return pick(curve, key=lambda step: curve[step], default=None)
