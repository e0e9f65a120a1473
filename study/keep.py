"""What stays of a run: configuration, provenance, scores, counts by document, a log of epochs.

Checkpoints and words of documents do not stay. What does is a run folder still, for
``docre compare`` and TensorBoard.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docre.data.writing import atomic_file
from study.places import KEPT, RUNS

_FILES = ("config.yaml", "sweep_run.json")
# behind each epoch; steps in between are many and noisy
_TAGS = ("val/", "memory/", "train/loss_epoch", "throughput/documents")


def keep(table: str) -> int:
    """Keep the finished runs of a table, and return how many there are."""
    count = 0
    for state in sorted((RUNS / table).glob("*/*/sweep_run.json")):
        run = state.parent
        if json.loads(state.read_text())["status"] == "finished":
            keep_run(run, KEPT / run.relative_to(RUNS))
            count += 1
    return count


def keep_run(run: Path, target: Path) -> None:
    """Keep one run."""
    for name in _FILES:
        if (run / name).exists():
            _write(target / name, (run / name).read_text())
    _write_json(target / "run.json", json.loads((run / "run.json").read_text()))
    for path in sorted((run / "scores").glob("**/*.json")):
        scores = json.loads(path.read_text())
        for level in scores.get("levels", {}).values() if "documents" in path.parts else ():
            # a document is its place in the file
            level["documents"] = [str(number) for number in range(len(level["documents"]))]
        if "scores" in scores:  # of single relations there are hundreds
            few = {k: v for k, v in scores["scores"].items() if not k.startswith("relation/")}
            scores["scores"] = few
        _write_json(target / path.relative_to(run), scores)
    _keep_log(run, target)


def _keep_log(run: Path, target: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for old in target.glob("events.out.tfevents.*"):
        old.unlink()
    writer = EventFileWriter(str(target))
    for path in sorted(run.glob("events.out.tfevents.*")):
        events: list[Any] = list(LegacyEventFileLoader(str(path)).Load())
        for place, event in enumerate(events):
            values = [
                value
                for value in event.summary.value
                if value.tag.startswith(_TAGS) and value.WhichOneof("value") == "simple_value"
            ]
            # the first and the last one say how long it took
            if values or place in (0, len(events) - 1):
                kept = Event(wall_time=event.wall_time, step=event.step)
                kept.summary.value.extend(values)
                writer.add_event(kept)
    writer.close()
    (made,) = target.glob("events.out.tfevents.*")
    made.rename(target / "events.out.tfevents.kept")


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def _write_json(path: Path, content: object) -> None:
    _write(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
