"""The synthetic corpus as a data module: everything offline, in seconds."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Mapping
from functools import cache, cached_property
from pathlib import Path

import msgspec
import xxhash
from filelock import FileLock

from docre.data import synthetic, vocabulary
from docre.data.cache import file_hash
from docre.data.features import FeatureSettings
from docre.data.formats.docred import DocREDJson
from docre.data.label_noise import LabelNoise
from docre.data.modules.base import BatchSettings, DocREDataModule, ReadSettings, Split
from docre.data.pieces import Pieces
from docre.data.reading import read_documents
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.data.synthetic import SYNTHETIC_RELATIONS, SyntheticConfig, generate_splits
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import atomic_file, write_documents
from docre.errors import DocreError
from docre.pretrained import load_tokenizer

_MANIFEST = "manifest.json"
_log = logging.getLogger(__name__)


class _Written(msgspec.Struct, frozen=True):
    """What the manifest of a folder says of a file in it."""

    bytes: int
    xxh3: str
    documents: int | None = None


class SyntheticDocRED(DocREDataModule):
    """A small invented world, rendered into documents; no fact of dev or test occurs in train.

    Made on first use into a folder named after its settings and the code that makes it, with a
    small word-piece vocabulary of its own for encoders that are trained from scratch. Files that
    are not those that were written are made again.

    Args:
        data_dir: Folder for the corpora.
        train_documents: Documents to train on.
        dev_documents: Documents to select on.
        test_documents: Documents to test on.
        corpus: The world and its label noise; noise is for the training documents only.
        vocabulary_size: Tokens of the vocabulary that is learnt from the training documents.
        tokenizer: A tokenizer to use instead of the learnt one.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    def __init__(
        self,
        data_dir: str = "data/synthetic",
        train_documents: int = 1000,
        dev_documents: int = 200,
        test_documents: int = 200,
        corpus: SyntheticConfig | None = None,
        vocabulary_size: int = 4000,
        tokenizer: str | None = None,
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        self.config = corpus or SyntheticConfig()
        self.sizes: dict[str, int] = {
            "train": train_documents,
            "dev": dev_documents,
            "test": test_documents,
        }
        self.vocabulary_size = vocabulary_size
        settings = msgspec.json.encode([self.config, self.sizes, _code_hash()])
        self.folder = Path(data_dir) / f"synthetic-{xxhash.xxh3_64_hexdigest(settings)[:10]}"
        self.vocabulary = self.folder / f"tokenizer-{vocabulary_size}"
        splits: tuple[Split, ...] = ("train", "dev", "test")
        super().__init__(
            files={split: self.folder / f"{split}.json" for split in splits},
            format=DocREDJson(),
            relations=RelationSet(tuple(SYNTHETIC_RELATIONS), dict(SYNTHETIC_RELATIONS)),
            types=DOCRED_TYPES,
            tokenizer=tokenizer or str(self.vocabulary),
            features=features,
            batches=batches,
            noise=noise,
            reading=reading,
        )

    def fetch(self) -> None:
        """Make the documents and the vocabulary, unless they are there and whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            self._make_documents()
            if self.tokenizer_name == str(self.vocabulary):
                self._make_vocabulary()

    @cached_property
    def pieces(self) -> Pieces:
        """The tokenizer, made first if need be."""
        self.fetch()
        return Pieces(load_tokenizer(self.tokenizer_name, self.reading.offline))

    def setup(self, stage: str | None = None) -> None:
        """Open the splits of a stage, made first if need be."""
        self.fetch()
        super().setup(stage)

    def _make_documents(self) -> None:
        whole = _whole_files(self.folder, [path.name for path in self.files.values()])
        wrong = {split: path for split, path in self.files.items() if path.name not in whole}
        if not wrong:
            return
        splits = generate_splits(self.config, self.sizes)
        counts = {name: written.documents for name, written in whole.items()}
        for split, path in wrong.items():
            counts[path.name] = write_documents(path, splits[split], self.format)
        _write_manifest(self.folder, counts)

    def _make_vocabulary(self) -> None:
        if "tokenizer.json" in _whole_files(self.vocabulary):
            return
        documents = read_documents(self.files["train"], self.format, limit=2000)
        partial = self.vocabulary.with_name(f".{self.vocabulary.name}.part")
        # the lock is held: what lies there is of a process that died
        shutil.rmtree(partial, ignore_errors=True)
        save_tokenizer(learn_word_pieces(documents, self.vocabulary_size), partial)
        _write_manifest(partial, {path.name: None for path in partial.iterdir()})
        if self.vocabulary.exists():
            shutil.rmtree(self.vocabulary)
        partial.rename(self.vocabulary)


def _whole_files(folder: Path, wanted: Collection[str] | None = None) -> dict[str, _Written]:
    """Return the files of a folder that are as its manifest says, and warn of those that are not.

    Args:
        folder: A folder with a manifest, or one that is still to be filled.
        wanted: The files that should be there; all or none of those of the manifest if left out.
    """
    try:
        data = (folder / _MANIFEST).read_bytes()
        written = msgspec.json.decode(data, type=dict[str, _Written])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        written = {}
    names = written if wanted is None else wanted
    whole = {name: written[name] for name in names if _is_whole(folder, name, written)}
    wrong = sorted(set(names) - set(whole))
    if not written and any((folder / name).exists() for name in wanted or (".",)):
        _log.warning("%s was not finished or its manifest is damaged: it is made again", folder)
    elif written and wrong:
        _log.warning(
            "%s: %s missing or damaged, made again from the settings", folder, ", ".join(wrong)
        )
    return {} if wanted is None and wrong else whole


def _is_whole(folder: Path, name: str, written: Mapping[str, _Written]) -> bool:
    path = folder / name
    try:
        return (
            name in written
            and path.stat().st_size == written[name].bytes
            and file_hash(path) == written[name].xxh3
        )
    except (OSError, DocreError):
        return False


def _write_manifest(folder: Path, documents: Mapping[str, int | None]) -> None:
    """Write down what the files of a folder are; their numbers of documents are given."""
    manifest = {
        name: _Written((folder / name).stat().st_size, file_hash(folder / name), count)
        for name, count in sorted(documents.items())
    }
    with atomic_file(folder / _MANIFEST) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)))


@cache
def _code_hash() -> str:
    """Return a hash of the source of everything that makes documents and vocabulary."""
    digest = xxhash.xxh3_64()
    sources = [path for root in synthetic.__path__ for path in sorted(Path(root).glob("*.py"))]
    for path in (*sources, Path(vocabulary.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
