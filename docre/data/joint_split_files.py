"""A joint split of docre's own as files: three of documents, one that says what they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from filelock import FileLock

from docre.data.cache import file_hash
from docre.data.checksums import checksum
from docre.data.formats.docred import DocREDJson
from docre.data.joint_split import split_documents
from docre.data.reading import OnError, read_documents
from docre.data.writing import atomic_file, write_documents

SOURCES = ("train_annotated.json", "dev.json")
_log = logging.getLogger(__name__)


class SplitTitles(msgspec.Struct, frozen=True):
    """What lies beside a split: whence it is, and which document is where.

    Args:
        split: Whose split it is, in words.
        seed: Seed of the order.
        sources: SHA-256 of the files it is made of.
        files: XXH3 of the files that were written.
        train: Titles of the training documents.
        dev: Titles of the development documents.
        test: Titles of the test documents.
        mixed: Titles left out: an entity has mentions of several types.
        repeated: Titles left out: an earlier document has the same.
        unused: Titles left out: no room.
    """

    split: str
    seed: int
    sources: dict[str, str]
    files: dict[str, str]
    train: list[str]
    dev: list[str]
    test: list[str]
    mixed: list[str]
    repeated: list[str]
    unused: list[str]


class JointSplitFiles:
    """The split of DocRED's two labelled files in a folder, made when it is first wanted.

    Args:
        folder: Folder of DocRED's files and of those that are made.
        sizes: Documents of train, dev and test; files of other sizes have other names.
        seed: Seed of the order.
    """

    def __init__(self, folder: Path, sizes: Sequence[int] | None, seed: int = 66) -> None:
        self.folder, self.sizes, self.seed = folder, sizes, seed
        self.name = "_".join(["joint_docre", *map(str, sizes or ())])
        self.titles = folder / f"{self.name}.json"
        self.train, self.dev, self.test = (
            folder / f"{split}_{self.name}.json" for split in ("train", "dev", "test")
        )

    def ensure(self, fetch: Callable[[], None], on_error: OnError) -> None:
        """Make the files, unless they are there and whole.

        Args:
            fetch: Brings DocRED's two files. Called if they are missing, and always if no sizes
                are given, as the split of that name is only of the official files.
            on_error: What to do about documents that are wrong.
        """
        if self.made() is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f".{self.name}.lock"):
            if self.made() is not None:  # another process made it while this one waited
                return
            if self.titles.exists():
                _log.warning("%s, or what it lists, has changed: made again", self.titles)
            if self.sizes is None or not self._sources():
                fetch()
            self._make(on_error)

    def made(self) -> SplitTitles | None:
        """Return what is known of the files, ``None`` if they are not there as they were made.

        DocRED's own files need not be there any more, but if they are, they have to be the same.
        """
        try:
            known = msgspec.json.decode(self.titles.read_bytes(), type=SplitTitles)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        files = {path.name: path for path in (self.train, self.dev, self.test)}
        whole = known.files.keys() == files.keys() and all(
            path.exists() and file_hash(path) == known.files[name] for name, path in files.items()
        )
        same = all(known.sources.get(path.name) == checksum(path) for path in self._sources())
        return known if whole and same and known.seed == self.seed else None

    def _sources(self) -> list[Path]:
        paths = (self.folder / name for name in SOURCES)
        return [path for path in paths if path.exists()]

    def _make(self, on_error: OnError) -> None:
        sources, form = self._sources(), DocREDJson()
        documents = [d for path in sources for d in read_documents(path, form, on_error=on_error)]
        cut = split_documents(documents, self.sizes, self.seed)
        parts = ((self.train, cut.train), (self.dev, cut.dev), (self.test, cut.test))
        for path, part in parts:
            write_documents(path, part, form)
        train, dev, test = ([document.id for document in part] for _, part in parts)
        names = " and ".join(path.name for path in sources)
        known = SplitTitles(
            split=f"docre's own split of {names}, not the published one",
            seed=self.seed,
            sources={path.name: checksum(path) for path in sources},
            files={path.name: file_hash(path) for path, _ in parts},
            train=train,
            dev=dev,
            test=test,
            mixed=cut.mixed,
            repeated=cut.repeated,
            unused=cut.unused,
        )
        # last of all: without it the files do not count
        with atomic_file(self.titles) as file:
            file.write(msgspec.json.format(msgspec.json.encode(known), indent=1))
        _log.warning(
            "%s: %s; %d, %d and %d documents. Left out: %d with an entity of several types, %d "
            "with the title of an earlier one, %d beyond the sizes",
            *(self.titles, known.split, len(train), len(dev), len(test)),
            *(len(cut.mixed), len(cut.repeated), len(cut.unused)),
        )
