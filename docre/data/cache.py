"""The feature cache: a file of documents becomes Arrow once and is memory-mapped ever after.

A cache entry is a folder named after everything that decides its content: the bytes of the files,
the tokenizer, the settings and code of its rows, relations, types and error policy. It appears
under its name only when it is complete, is built by one process while others wait, and is checked
when it is opened and rebuilt when it is damaged.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import tokenizers
import xxhash
from filelock import FileLock

from docre.data.columns import PAIR_ROWS, RowKind, RowMaker, schema, to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.formats.base import Format
from docre.data.preprocess import preprocess
from docre.data.reading import DocumentReader, OnError, ReadReport
from docre.errors import DocreError

_log = logging.getLogger(__name__)
_ROWS, _MANIFEST, _REPORT = "rows.arrow", "manifest.json", "report.json"
# Whatever changes rows of any kind for the same input: its source text is part of the key.
_CODE = (
    "docre.checking",
    "docre.documents",
    "docre.repair",
    "docre.segmentation",
    "docre.data.columns",
    "docre.data.pieces",
    "docre.data.reading",
    "docre.data.formats.abstract_rows",
    "docre.data.formats.abstracts",
    "docre.data.formats.base",
    "docre.data.formats.chemdisgene",
    "docre.data.formats.docred",
    "docre.data.formats.eog",
    "docre.data.formats.eog_groups",
    "docre.data.formats.json_text",
    "docre.data.formats.own",
    "docre.data.formats.pubtator",
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file of documents and how to read it.

    Args:
        path: The file.
        format: Its format.
        on_error: What to do about documents that are wrong.
        limit: Use only the first documents.
        check_relations: Refuse relations outside the relation set.
        check_types: Refuse entity types outside the known ones.
        companions: Further files that the format reads; their bytes count too.
    """

    path: Path
    format: Format
    on_error: OnError = "fail"
    limit: int | None = None
    check_relations: bool = True
    check_types: bool = False
    companions: tuple[Path, ...] = ()

    def reader(self, maker: RowMaker, report: ReadReport | None = None) -> DocumentReader:
        """Return the reader of this corpus."""
        return DocumentReader(
            self.path,
            self.format,
            relations=maker.relations if self.check_relations else None,
            types=maker.types if self.check_types else None,
            on_error=self.on_error,
            report=report,
            limit=self.limit,
        )


@dataclass(frozen=True, slots=True)
class Cached:
    """An opened cache entry.

    Args:
        folder: Where it lies.
        table: The rows.
        summary: Counts of the reading: documents, kept, fixed, skipped, and what rows have lost.
    """

    folder: Path
    table: FeatureTable
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> Path:
        """The report of everything that was skipped, fixed or noted."""
        return self.folder / _REPORT


def default_cache_dir() -> Path:
    """Return the folder for caches: ``DOCRE_CACHE``, or docre's folder in the user's cache."""
    named = os.environ.get("DOCRE_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "docre"


def build_or_open(
    corpus: Corpus,
    maker: RowMaker,
    cache_dir: Path | None = None,
    num_proc: int = 1,
    progress: bool = True,
    kind: RowKind = PAIR_ROWS,
) -> Cached:
    """Return the rows of a corpus, from the cache if it has them.

    Args:
        corpus: The file and how to read it.
        maker: Turns documents into rows.
        cache_dir: Folder for all caches.
        num_proc: Processes to build with.
        progress: Show a progress bar where there is a terminal.
        kind: Which rows the maker makes.

    Raises:
        DataError: If the file has problems and ``on_error`` is ``fail``; nothing is cached then.
    """
    key = cache_key(corpus, maker, kind)
    root = cache_dir or default_cache_dir()
    folder = root / f"{corpus.path.name.split('.')[0]}-{key}"
    found = _open(folder, kind)
    if found is not None:
        return found
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{folder.name}.lock"):
            found = _open(folder, kind)  # another process may have built it while this one waited
            if found is not None:
                return found
            _clear(root, folder)
            _build(corpus, maker, folder, num_proc, progress, kind)
    except OSError as error:
        raise DocreError(
            f"the cache folder {root} cannot be written ({error.strerror or error}); free some "
            "space, or choose another folder with cache_dir or DOCRE_CACHE"
        ) from error
    built = _open(folder, kind)
    if built is None:
        raise DocreError(
            f"the cache {folder} is damaged right after it was written: check the disk"
        )
    return built


def cache_key(corpus: Corpus, maker: RowMaker, kind: RowKind = PAIR_ROWS) -> str:
    """Return the hash of everything that decides the rows."""
    parts = {
        "files": [file_hash(path) for path in (corpus.path, *corpus.companions)],
        "format": [
            type(corpus.format).__qualname__,
            _settings_of(corpus.format),
            code_hash((type(corpus.format).__module__,)),  # also that of a format of your own
        ],
        "reading": [
            corpus.on_error,
            corpus.limit,
            corpus.check_relations,
            corpus.check_types,
        ],
        "tokenizer": [maker.pieces.fingerprint(), tokenizers.__version__],
        "settings": asdict(maker.settings),
        "relations": list(maker.relations),
        "types": maker.types,
        "code": [code_hash(), kind.row.__qualname__, code_hash(kind.code)],
    }
    return xxhash.xxh3_64_hexdigest(msgspec.json.encode(parts, order="sorted"))


def file_hash(path: Path) -> str:
    """Return a fast hash of a file's bytes, read in pieces."""
    digest = xxhash.xxh3_128()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 22):
                digest.update(piece)
    except FileNotFoundError:
        raise DocreError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DocreError(f"{path}: this is a folder, not a file") from None
    return digest.hexdigest()


@cache
def code_hash(modules: tuple[str, ...] = _CODE) -> str:
    """Return a hash of the source of modules; left out, of all that reads files."""
    digest = xxhash.xxh3_64()
    for name in modules:
        source = import_module(name).__file__
        digest.update(Path(source).read_bytes() if source else name.encode())
    return digest.hexdigest()


def _settings_of(chosen: Format) -> dict[str, str]:
    names = getattr(chosen, "__dataclass_fields__", {})
    return {name: str(getattr(chosen, name)) for name in names if name != "relationships"}


def _open(folder: Path, kind: RowKind) -> Cached | None:
    """Open a cache entry, or return ``None`` if there is none or it is damaged."""
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes())
        rows = folder / _ROWS
        if rows.stat().st_size != manifest["bytes"] or file_hash(rows) != manifest["hash"]:
            raise ValueError("the rows are not those that were written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError, DocreError) as error:
        _log.warning("the cache %s is damaged (%s): it is built again", folder, error)
        return None
    from datasets import Dataset

    return Cached(
        folder, FeatureTable(Dataset.from_file(str(rows)), kind=kind), manifest["summary"]
    )


def _build(
    corpus: Corpus, maker: RowMaker, folder: Path, num_proc: int, progress: bool, kind: RowKind
) -> None:
    report = ReadReport()
    reader = corpus.reader(maker, report)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        batches = preprocess(reader, maker, num_proc, progress, kind)
        lost = _write_rows(partial / _ROWS, batches, kind)
        report.write(partial / _REPORT)
        summary = {
            "documents": report.documents,
            "kept": report.kept,
            "fixed": report.fixed,
            "skipped": report.skipped,
            "counts": dict(report.counts()),
            **lost,
        }
        manifest = {
            "bytes": (partial / _ROWS).stat().st_size,
            "hash": file_hash(partial / _ROWS),
            "summary": summary,
        }
        (partial / _MANIFEST).write_bytes(msgspec.json.encode(manifest))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if report.errors:
        _log.warning("what was fixed or skipped is listed in %s", folder / _REPORT)
    said = kind.losses_said(lost)
    if said:
        _log.warning("%s: %s", corpus.path.name, said)


def _write_rows(path: Path, batches: Iterable[pa.RecordBatch], kind: RowKind) -> dict[str, int]:
    lost = dict.fromkeys(kind.losses(to_record_batch([], kind)), 0)
    with path.open("wb") as file:
        with pa.ipc.new_stream(file, schema(kind)) as writer:
            for batch in batches:
                writer.write_batch(batch)
                for name, count in kind.losses(batch).items():
                    lost[name] += count
        file.flush()
        os.fsync(file.fileno())
    return lost


def _clear(root: Path, folder: Path) -> None:
    """Remove a damaged entry and what a process that died left behind; the lock is held."""
    leftovers: Sequence[Path] = list(root.glob(f"{folder.name}.part-*"))
    for path in _existing([folder, *leftovers]):
        if path.is_symlink():
            path.unlink()  # whatever it points to is not ours
        else:
            shutil.rmtree(path)


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.exists() or path.is_symlink())
