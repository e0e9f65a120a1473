"""Predictions into a file, while they are made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import lightning
import msgspec
from lightning.pytorch.callbacks import BasePredictionWriter

from docre.callbacks.run_folder import run_folder
from docre.disk import refusals_said
from docre.documents import Document
from docre.errors import DocreError
from docre.prediction_forms import DocumentForm, PredictionForm, TripleForm

_SUFFIXES = tuple(dict.fromkeys((*TripleForm.suffixes, *DocumentForm.suffixes)))
_HEADER = msgspec.json.Decoder(tuple[str, int])


class PredictionFile(BasePredictionWriter):
    """Writes what ``docre predict`` finds.

    The model says what its predictions look like (``prediction_form``): triples of given entities,
    unless it says otherwise. Each process writes the documents it reads into a file of its own;
    at the end they become one, with every document once, in the order of the data.

    Args:
        path: File to write; ``predictions.jsonl`` in the run folder if left out. Of triples,
            ``.jsonl`` has a line for every document with the names of its entities, scores,
            margins and evidence; ``.json`` is the official ``result.json``; ``.zip`` a submission.
            Of documents, ``.jsonl`` has whole documents with what was found in them, ``.json``
            their mentions, entities and relations as published code writes them.
    """

    def __init__(self, path: str | None = None) -> None:
        super().__init__("batch")
        self.path = None if path is None else Path(path)
        self._require_suffix(_SUFFIXES)
        self._form: PredictionForm = TripleForm()
        self._target: Path | None = None
        self._file: BinaryIO | None = None
        self._documents: dict[str, Document] = {}

    def _require_suffix(self, known: Sequence[str], whose: str = "") -> None:
        if self.path is not None and self.path.suffix not in known:
            endings = ", ".join(known)
            raise DocreError(f"predictions.path must end in one of {endings}{whose}: {self.path}")

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Ask the model what its predictions look like, before anything is loaded."""
        super().setup(trainer, pl_module, stage)
        self._form = getattr(pl_module, "prediction_form", self._form)
        if stage == "predict":
            self._require_suffix(self._form.suffixes, f" for a {type(pl_module).__name__}")

    def on_predict_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Open the file."""
        folder = run_folder(trainer)
        target = self.path or (None if folder is None else folder / "predictions.jsonl")
        # the folder of a new log is only known to rank 0
        self._target = trainer.strategy.broadcast(target)
        if self._target is None:
            return
        data = cast(Any, trainer).datamodule
        split = "predict" if "predict" in data.files else "test"
        self._documents = {one.id: one for one in data.documents(split)}
        with refusals_said(self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
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
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the documents of a batch."""
        if self._file is None or self._target is None:
            return
        descriptions = cast(Any, trainer).datamodule.relations.descriptions
        for record in self._form.records(
            self._target.suffix, prediction, batch, self._documents, descriptions
        ):
            # no JSON has a tab outside of its strings, and inside it is written \\t
            header = msgspec.json.encode((record.document, record.size))
            with refusals_said(self._target):
                self._file.write(header + b"\t" + record.line + b"\n")

    def on_predict_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Put the pieces of all ranks together and give the file its name."""
        if self._file is None or self._target is None:
            return
        with refusals_said(self._target):
            self._file.close()
        self._file = None
        trainer.strategy.barrier()
        if not trainer.is_global_zero:
            return
        parts = [self._part(rank) for rank in range(trainer.world_size)]
        try:
            with ExitStack() as stack:
                files = [stack.enter_context(part.open("rb")) for part in parts]
                found = _index(files)
                # what the data does not know is no reason to lose it
                order = dict.fromkeys((*(n for n in self._documents if n in found), *found))
                self._form.write(self._target, (_line(found[name]) for name in order))
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
        from rich.console import Console

        count = sum(place.size for place in found.values())
        line = f"{count:,} {self._form.unit} written to {self._target}"
        Console().print(line, highlight=False, soft_wrap=True)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Leave nothing half-written behind."""
        if self._file is not None:
            with suppress(OSError):  # a full disk refuses again what it has refused
                self._file.close()
            self._file = None
            self._part(trainer.global_rank).unlink(missing_ok=True)


class _Place(NamedTuple):
    """Where the record of a document lies, and how much is in it."""

    file: BinaryIO
    start: int
    length: int
    size: int


def _index(files: Sequence[BinaryIO]) -> dict[str, _Place]:
    """Find each document; a sampler fills up ranks with some it has already given out."""
    found: dict[str, _Place] = {}
    for file in files:
        start = 0
        for record in file:
            header = record.partition(b"\t")[0]
            name, size = _HEADER.decode(header)
            begin = start + len(header) + 1
            start += len(record)
            found.setdefault(name, _Place(file, begin, start - begin - 1, size))
    return found


def _line(place: _Place) -> bytes:
    place.file.seek(place.start)
    return place.file.read(place.length)
