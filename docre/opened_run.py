"""A trained run, opened to look into: its model, its data, and a loop over both.

``docre predict`` writes triples. Whatever else wants to see what a model makes of documents opens
the run here and takes what it needs from each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import lightning
import msgspec
import numpy as np
import torch
from torch.utils.data import DataLoader

from docre.base_model import DocumentModel
from docre.batch import Batch
from docre.data.examples import examples_of
from docre.data.feature_table import FeatureTable
from docre.data.modules.base import DocREDataModule, Split
from docre.data.progress import progress_bar
from docre.data.sampling import IntArray, pack_by_budget, pack_by_size
from docre.errors import DocreError
from docre.machine import has_gpu, misfit
from docre.model import DocREModel
from docre.outputs import HeadOutput
from docre.parent import read_checkpoint
from docre.training import DocRECLI, run
from docre.yaml_text import plain_yaml

T = TypeVar("T")
# What the configuration of a run may say otherwise; options that are given come later and count.
_ONE_DEVICE = ("--trainer.devices=1", "--trainer.num_nodes=1", "--trainer.strategy=auto")
# Documents of a batch where a run names none.
_BATCH_SIZE = 8


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A trained model and the data it can read.

    Args:
        model: With its weights, on the trainer's device, in evaluation mode.
        data: Data module of the run, or one over the file that was named; its splits are opened
            when they are first read.
        trainer: Says precision and device; it runs nothing.
        checkpoint: Where the weights are from.
    """

    model: Any
    data: DocREDataModule
    trainer: lightning.Trainer
    checkpoint: Path

    def read(
        self,
        split: Split,
        reading: Callable[[HeadOutput, Batch], T],
        batch_size: int | None = None,
    ) -> Iterator[T]:
        """Yield what ``reading`` makes of each batch of a split.

        All documents of the split come, once and in the order of their file; one batch is held at
        a time.

        Args:
            split: ``predict`` where the run was opened over a file, else ``train``, ``dev`` or
                ``test``.
            reading: Called with the model's output and the batch, both on the model's device and
                without gradients. What it returns should not hold on to device memory.
            batch_size: Documents of a batch; that of the run outside of training if left out.
        """
        table = self.data.cached(split).table
        return self.read_batches(self._loader(table, batch_size), reading, len(table))

    def read_batches(
        self,
        batches: Iterable[Batch],
        reading: Callable[[HeadOutput, Batch], T],
        total: int | None = None,
    ) -> Iterator[T]:
        """Yield what ``reading`` makes of each of some batches; see :meth:`read`.

        Args:
            batches: On any device, made with the tokenizer of the run.
            reading: As in :meth:`read`.
            total: Number of documents, for the progress bar.
        """
        device = self.trainer.strategy.root_device
        self.model.eval()
        with progress_bar("documents", total) as advance:
            for batch in batches:
                yield self._read(batch.to(device, non_blocking=True), reading)
                advance(len(batch))

    def _read(self, batch: Batch, reading: Callable[[HeadOutput, Batch], T]) -> T:
        # the modes are left before the value is yielded: they would be the caller's otherwise
        with torch.inference_mode(), self.trainer.precision_plugin.forward_context():
            return reading(self.model(batch), batch)

    def _loader(self, table: FeatureTable, batch_size: int | None) -> DataLoader[Any]:
        settings = self.data.batches
        size = batch_size or settings.eval_batch_size
        order: IntArray = np.arange(len(table))
        if size is None and settings.has_budget:
            budgets = settings.token_budget, settings.pair_budget
            packed = pack_by_budget(order, table.num_tokens, table.num_pairs, *budgets)
        else:
            packed = pack_by_size(order, size or _BATCH_SIZE)
        pin = settings.pin_memory
        return DataLoader(
            cast(Any, table),
            sampler=[rows.tolist() for rows in packed],
            batch_size=None,
            collate_fn=cast(Any, self.data.examples.collate(self.data.pieces, settings)),
            num_workers=settings.num_workers,
            pin_memory=torch.cuda.is_available() if pin is None else pin,
        )


def open_run(
    run_folder: str | Path,
    documents: str | Path | None = None,
    arguments: Sequence[str] = (),
    kind: type[DocumentModel] = DocREModel,
) -> OpenedRun:
    """Open a run of ``docre fit`` as ``docre predict`` does; nothing is predicted or logged.

    The model is built as its checkpoint describes it: no pretrained weights are fetched.

    Args:
        run_folder: Folder of the run; its best checkpoint is loaded, else the last.
        documents: File to read in place of the run's own splits; it is the ``predict`` split then.
        arguments: Further options of ``docre predict``, such as ``--trainer.accelerator cpu``.
        kind: What the model has to be.

    Raises:
        DocreError: If there is no such run, its model is another, or model and data do not belong
            together.
        DataError: If the documents have problems, as soon as they are read.
    """
    words = ["predict", "--run", str(run_folder), *_ONE_DEVICE, *_here(run_folder), *arguments]
    if documents is not None:
        words += ["--documents", str(documents)]
    made = run(words, _NothingRun)
    if not isinstance(made.model, kind):
        raise DocreError(
            f"{run_folder} is a run of {type(made.model).__name__}; this is about {kind.__name__}"
        )
    model, trainer = cast(Any, made.model), made.trainer
    data = cast(DocREDataModule, made.datamodule)
    checkpoint = Path(made.config_init.predict.ckpt_path)
    if trainer.world_size != 1:
        raise DocreError(f"a run is read on one device, not on {trainer.world_size}")
    data.examples = examples_of(model)  # nobody attached the data to the trainer
    data.fetch()
    _load(checkpoint, model, data)
    model = trainer.precision_plugin.convert_module(model)
    return OpenedRun(model.to(trainer.strategy.root_device).eval(), data, trainer, checkpoint)


def _here(run_folder: str | Path) -> tuple[str, ...]:
    """Return the options to open a run of a GPU where there is none."""
    path = Path(run_folder) / "config.yaml"
    if not path.is_file():
        return ()  # whoever reads it says what is wrong
    try:
        config = msgspec.yaml.decode(plain_yaml(path))
    except (msgspec.MsgspecError, DocreError):
        return ()
    trainer = config.get("trainer") if isinstance(config, dict) else None
    return misfit({**(trainer or {}), "devices": 1}, has_gpu()).options


class _NothingRun(DocRECLI):
    """Makes model, data and trainer, and leaves it at that."""

    def _run_subcommand(self, subcommand: str) -> None:
        self.before_predict()


def _load(checkpoint: Path, model: DocumentModel, data: DocREDataModule) -> None:
    known = read_checkpoint(checkpoint, mmap=True)
    try:
        model.on_load_checkpoint(known)
        model.load_state_dict(known["state_dict"])
    except DocreError as error:
        raise DocreError(f"{checkpoint} does not fit the model: {error}") from error
    data.load_state_dict({"relations": list(model.relations), "types": list(model.types)})
    size = getattr(model.encoder, "vocab_size", None)
    tokens = data.pieces.vocabulary_size
    if size is not None and tokens > size:
        raise DocreError(
            f"the tokenizer {data.tokenizer_name} has {tokens} tokens, the encoder of {checkpoint} "
            f"knows {size}"
        )
