"""A run as a comparison sees it: its options, its seed, and its scores with what they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from docre.as_written import as_written
from docre.comparison.differing import Options
from docre.comparison.document_counts import Levels, counts_path, flat_rates, read_counts
from docre.comparison.event_files import TrainingLog, kept_step, read_log
from docre.comparison.options import read_options
from docre.comparison.run_files import read_json, read_yaml
from docre.comparison.scored_on import ScoredOn, is_overall

Split = Literal["test", "dev"]


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """One run folder.

    Args:
        folder: Where it is.
        options: What it was trained with, without seeds and places.
        config: The whole configuration.
        record: What ``run.json`` says.
    """

    folder: Path
    options: Options
    config: Mapping[str, Any]
    record: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> TrainedRun:
        """Read a run folder.

        Raises:
            DocreError: If a file of it is damaged.
        """
        with as_written(folder):
            config = read_yaml(folder / "config.yaml")
            record = read_json(folder / "run.json")
            for key in ("git", "versions", "data"):
                dict(record.get(key) or {})
            return cls(folder, read_options(folder), config, record)

    @cached_property
    def log(self) -> TrainingLog:
        """What its event files say."""
        return read_log(self.folder)

    @property
    def seed(self) -> int | None:
        """The seed of the training, if it is known."""
        seed = self.record.get("seed", self.config.get("seed_everything"))
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    @property
    def selected_on(self) -> str | None:
        """The score that the epoch was chosen on; ``None`` if it is the last one."""
        selected: str | None = self.config.get("select_on", "f1")
        return selected

    @property
    def time(self) -> str:
        """When it was started, in a form that sorts."""
        return str(self.record.get("time", ""))


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """The scores of a run on one split.

    Args:
        run: The run.
        on: What was scored.
        scores: By name; fractions.
        counts: Counts by document of each level, if there are any.
        notes: What is to be known about these scores.
    """

    run: TrainedRun
    on: ScoredOn
    scores: Mapping[str, float]
    counts: Levels
    notes: tuple[str, ...] = ()


def read_scores(run: TrainedRun, split: Split) -> ScoredRun | None:
    """Return the scores of a run on a split; ``None`` if there are none.

    Those of the development split are taken from the log of the training where ``docre validate``
    has not written them.

    Raises:
        DocreError: If a file is damaged.
    """
    path = run.folder / "scores" / f"{split}.json"
    with as_written(path):
        body = read_json(path)
        if body:
            return _scored(run, path, body, split)
    with as_written(run.folder):
        return _logged(run) if split == "dev" else None


def _configured_thresholds(model: Mapping[str, Any]) -> list[object]:
    """Return thresholds as scores would name them, of a joint model and of a pair model."""
    decoder = model.get("decoder")
    arguments = decoder.get("init_args") if isinstance(decoder, Mapping) else None
    return [model.get("thresholds"), {"shift": (arguments or {}).get("shift")}]


def _scored(run: TrainedRun, path: Path, body: Mapping[str, Any], split: Split) -> ScoredRun:
    scores: dict[str, float] = body["scores"]
    if not all(isinstance(value, int | float) for value in scores.values()):
        raise TypeError("scores are numbers")
    on = ScoredOn.of_file(body, split)
    notes = []
    checkpoint = Path((body.get("checkpoint") or {}).get("file", "best.ckpt")).name
    if checkpoint != "best.ckpt":
        notes.append(f"scores of {checkpoint}, not of the epoch that was kept")
    if body.get("thresholds") not in (None, *_configured_thresholds(run.config.get("model", {}))):
        notes.append("thresholds tuned on the development split")
    counts: Levels = {}
    where = counts_path(path)
    if where.exists():
        counts = read_counts(where)
        if not _belong(counts, scores):
            counts = {}
            notes.append(f"{where.name} in {where.parent.name}/ has the counts of other scores")
    return ScoredRun(run, on, scores, counts, tuple(notes))


def _belong(counts: Levels, scores: Mapping[str, float]) -> bool:
    """Say whether scores are made of these counts: a file may be older than the other."""
    rates = {
        name: value
        for level, part in counts.items()
        for name, value in flat_rates(level, part, part.totals()).items()
    }
    known = [name for name in rates if name in scores]
    return bool(known) and all(abs(float(rates[n]) - scores[n]) < 1e-9 for n in known)


def _logged(run: TrainedRun) -> ScoredRun | None:
    mode = (run.config.get("checkpoint") or {}).get("mode", "max")
    step = kept_step(run.folder, run.log, run.selected_on, mode)
    scores = {} if step is None else run.log.at(step)
    if not any(map(is_overall, scores)):
        return None
    note = "from the log of the training: no counts by document, so nothing is tested"
    return ScoredRun(run, ScoredOn.of_log(run.record, scores), scores, {}, (note,))
