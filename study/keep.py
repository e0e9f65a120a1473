"""What stays of a run: configuration, provenance, scores, counts by document, a log of epochs.

Checkpoints and words of documents do not stay. What does is a run folder still, for
``docre compare`` and TensorBoard.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docre.data.writing import atomic_file
from docre.sweep.work import read_run
from study.origin import sha256
from study.places import ENCODERS, KEPT, RUNS, WEIGHTS

_FILES = ("config.yaml", "sweep_run.json")
# behind each epoch; steps in between are many and noisy
_TAGS = ("val/", "memory/", "train/loss_epoch", "throughput/documents")


def keep(table: str) -> int:
    """Keep the finished runs of a table, and return how many there are."""
    runs = [run for run in finished(RUNS / table) if is_tuned(run) or not is_joint(table)]
    for run in runs:
        keep_run(run, KEPT / run.relative_to(RUNS))
    return len(runs)


def finished(folder: Path) -> Iterator[Path]:
    """Yield the runs of a sweep that have been trained and scored."""
    for run in sorted(folder.glob("*/seed_*")):
        state = read_run(run)
        if state is not None and state.status == "finished" and (run / "scores").is_dir():
            yield run


def is_joint(table: str) -> bool:
    """Say whether the models of a table are scored with thresholds of their own."""
    return table.startswith("joint_")


def is_tuned(run: Path) -> bool:
    """Say whether a joint model has been scored since its thresholds were tuned."""
    scores, tuned = run / "scores" / "test.json", run / "thresholds.json"
    return tuned.exists() and scores.exists() and scores.stat().st_mtime >= tuned.stat().st_mtime


def keep_run(run: Path, target: Path) -> None:
    """Keep one run."""
    for name in _FILES:
        if (run / name).exists():
            _write(target / name, (run / name).read_text())
    record = json.loads((run / "run.json").read_text())
    config = (run / "config.yaml").read_text()
    for folder in ENCODERS.values():
        # the weights are of no run that stays, so no run says which they were
        if f"{folder}\n" in config and (folder / WEIGHTS).exists():
            record["encoder"] = sha256(folder / WEIGHTS)
    _write_json(target / "run.json", record)
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
    from tensorboard.summary.writer.record_writer import RecordWriter

    for old in target.glob("events.out.tfevents.*"):
        old.unlink()
    # a training that went on later has several, and the breaks between them do not count
    for number, path in enumerate(sorted(run.glob("events.out.tfevents.*"))):
        events: list[Any] = list(LegacyEventFileLoader(str(path)).Load())
        with atomic_file(target / f"events.out.tfevents.{number}") as file:
            writer = RecordWriter(file)
            for place, event in enumerate(events):
                values = [
                    value
                    for value in event.summary.value
                    if value.tag.startswith(_TAGS) and value.WhichOneof("value") == "simple_value"
                ]
                # the first and the last one say how long it took
                if values or place in (0, len(events) - 1):
                    kept = Event(wall_time=event.wall_time, step=event.step)
                    if event.file_version:
                        kept.file_version = event.file_version
                    else:
                        kept.summary.value.extend(values)
                    writer.write(kept.SerializeToString())


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def _write_json(path: Path, content: object) -> None:
    _write(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
