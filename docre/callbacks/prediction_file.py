"""Predictions into a file, while they are made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import lightning
import msgspec
import torch
from lightning.pytorch.callbacks import BasePredictionWriter

from docre.batch import Batch
from docre.callbacks.run_folder import run_folder
from docre.data.formats.official import write_predictions
from docre.errors import DocreError
from docre.prediction_lines import entity_names, prediction_line
from docre.triples import PredictedTriple

_SUFFIXES = (".jsonl", ".json", ".zip")


class PredictionFile(BasePredictionWriter):
    """Writes what ``docre predict`` finds.

    ``.jsonl`` has a line for every document with the names of its entities, scores, margins and
    evidence, written while prediction goes on; ``.json`` is the official ``result.json``; ``.zip``
    a submission.

    Args:
        path: File to write; ``predictions.jsonl`` in the run folder if left out.
    """

    def __init__(self, path: str | None = None) -> None:
        super().__init__("batch")
        if path is not None and not path.endswith(_SUFFIXES):
            raise DocreError(f"predictions.path must end in one of {', '.join(_SUFFIXES)}: {path}")
        self.path = None if path is None else Path(path)
        self._target: Path | None = None
        self._file: BinaryIO | None = None
        self._triples: list[PredictedTriple] = []
        self._names: dict[str, list[str]] = {}
        self._written: set[str] = set()
        self._count = 0

    def on_predict_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Open the file."""
        folder = run_folder(trainer)
        target = self.path or (None if folder is None else folder / "predictions.jsonl")
        # the folder of a new log is only known to rank 0
        self._target = trainer.strategy.broadcast(target)
        self._triples, self._written, self._count = [], set(), 0
        if self._target is None:
            return
        data = cast(Any, trainer).datamodule
        split = "predict" if "predict" in data.files else "test"
        self._names = {one.id: entity_names(one) for one in data.documents(split)}
        self._target.parent.mkdir(parents=True, exist_ok=True)
        if self._target.suffix == ".jsonl":
            self._file = self._part(trainer.global_rank).open("wb")

    def _part(self, rank: int) -> Path:
        target = cast(Path, self._target)
        return target.with_name(f".{target.name}.part{rank}")

    def write_on_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the documents of a batch."""
        triples: list[PredictedTriple] = prediction
        if self._file is None:
            self._triples += triples
            return
        found: dict[str, list[PredictedTriple]] = {name: [] for name in batch.document_ids}
        for triple in triples:
            found[triple.document].append(triple)
        descriptions = cast(Any, trainer).datamodule.relations.descriptions
        for name, listed in found.items():
            line = prediction_line(name, listed, self._names.get(name, ()), descriptions)
            self._file.write(msgspec.json.encode(line) + b"\n")

    def on_predict_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Put the pieces of all ranks together and give the file its name."""
        if self._target is None:
            return
        if self._file is not None:
            self._file.close()
            self._file = None
            trainer.strategy.barrier()
            if trainer.is_global_zero:
                self._join(trainer.world_size)
        else:
            everything: list[Any] = [self._triples]
            if trainer.world_size > 1:
                everything = [None] * trainer.world_size
                torch.distributed.all_gather_object(everything, self._triples)
            if trainer.is_global_zero:
                # a sampler fills up ranks with documents it has already given out
                unique = {t[:4]: t.prediction for triples in everything for t in triples}
                self._count = write_predictions(self._target, unique.values())
        if trainer.is_global_zero:
            from rich.console import Console

            line = f"{self._count:,} predictions written to {self._target}"
            Console().print(line, highlight=False, soft_wrap=True)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave nothing half-written behind."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part(trainer.global_rank).unlink(missing_ok=True)

    def _join(self, ranks: int) -> None:
        """Write every document once, in the order of the data."""
        lines: dict[str, bytes] = {}
        for rank in range(ranks):
            for line in self._part(rank).read_bytes().splitlines():
                lines.setdefault(msgspec.json.decode(line)["id"], line)
        order = [name for name in self._names if name in lines]
        self._count = sum(len(msgspec.json.decode(line)["triples"]) for line in lines.values())
        first = self._part(0)
        first.write_bytes(b"".join(lines[name] + b"\n" for name in order))
        first.replace(cast(Path, self._target))
        for rank in range(1, ranks):
            self._part(rank).unlink()
