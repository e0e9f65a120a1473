"""Scores as files, with everything a number has to say about itself, and as a table."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lightning
import msgspec

from docre.callbacks.run_folder import run_folder
from docre.comparison.document_counts import write_counts
from docre.data.writing import atomic_file
from docre.provenance import provenance

if TYPE_CHECKING:
    from docre.base_model import DocumentModel


class ScoreFiles(lightning.Callback):
    """Writes ``scores/SPLIT.json`` into the run folder after ``validate`` and ``test``.

    Beside it ``scores/documents/SPLIT.json`` has the counts by document that the scores are made
    of, so that ``docre compare`` can resample documents.
    """

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the scores of ``docre validate``; those of a training are in its log."""
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "dev")

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the scores of ``docre test``."""
        self._write(trainer, pl_module, "test")

    def _write(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, split: str
    ) -> None:
        model = cast("DocumentModel", pl_module)
        if model.score is None:
            return
        scores = cast(Any, model.score).scores()  # gathers: on every rank
        if not trainer.is_global_zero:
            return
        levels = getattr(model, "levels", None)
        if levels is not None:
            scores = replace(scores, levels=levels)
        body = describe_run(trainer, model) | {"split": split} | scores.to_record()
        thresholds = getattr(model, "thresholds", None)
        if thresholds is not None:
            body["thresholds"] = thresholds
        folder = run_folder(trainer)
        target = None if folder is None else folder / "scores" / f"{split}.json"
        if target is not None:
            # first, because counts of other scores are told by their sums
            write_counts(target, scores)
            write_json(target, body)
        print_scores(split, scores, target)


def describe_run(trainer: lightning.Trainer, model: DocumentModel) -> dict[str, Any]:
    """Return what belongs beside every score: code, versions, data, checkpoint, parent."""
    data = cast(Any, trainer).datamodule
    path = trainer.ckpt_path
    checkpoint = None
    if path is not None and Path(path).is_file():
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        checkpoint = {"file": str(path), "sha256": digest}
    return provenance() | {
        "seed": training_seed(trainer),
        "data": {"module": type(data).__name__, **data.provenance()},
        "checkpoint": checkpoint,
        "parent": None if model.parent is None else model.parent.to_dict(),
        "precision": str(trainer.precision),
        "devices": {"number": trainer.world_size, "kind": str(trainer.strategy.root_device)},
    }


def training_seed(trainer: lightning.Trainer) -> int | None:
    """Return the seed of a run: the one it was trained with, else that of this process."""
    folder = run_folder(trainer)
    if trainer.state.fn != "fit" and folder is not None and (folder / "run.json").is_file():
        seed: int | None = json.loads((folder / "run.json").read_text(encoding="utf-8")).get("seed")
        return seed
    given = os.environ.get("PL_GLOBAL_SEED")  # where Lightning leaves it
    return None if given is None else int(given)


def write_json(path: Path, body: dict[str, Any]) -> None:
    """Write a file that people read too, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(body), indent=1))


def print_scores(split: str, scores: Any, target: Path | None) -> None:
    """Print the scores people look for first."""
    from rich.console import Console

    console = Console()
    console.print(scores.summary(split), highlight=False, soft_wrap=True)
    if target is not None:
        console.print(f"written to {target}", highlight=False, soft_wrap=True)
