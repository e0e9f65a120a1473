"""All documents of some files predicted into files: in bounded memory, and again after a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.markup import escape

from docre import __version__
from docre.data.cache import file_hash
from docre.data.progress import progress_bar
from docre.data.reading import OnError
from docre.data.writing import write_lines
from docre.errors import DocreError, Problem
from docre.pipeline.extraction import Extraction
from docre.pipeline.extractor import CHUNK, NO_ENTITIES, OWN_ENTITIES, Extractor
from docre.pipeline.inputs import Asked, Sources, read_stream, require_formats
from docre.pipeline.journal import Journal
from docre.pipeline.output import form_of

_SHOWN = 3
_PIECE = 1 << 20


@dataclass(frozen=True)
class Job:
    """Files to read and files to write.

    Args:
        extractor: The model.
        sources: The files to read.
        outputs: Files to write; that of the first has the journal beside it.
        console: Where to print.

    Raises:
        DocreError: If an output has no form that is known, or cannot be written.
    """

    extractor: Extractor
    sources: Sources
    outputs: Sequence[Path]
    console: Console

    def __post_init__(self) -> None:
        read = {source.path.resolve() for source in self.sources.files}
        for target in self.outputs:
            form_of(target, self._found_entities)
            if target.resolve() in read:
                raise DocreError(f"output: {target} is one of the files to read")
            if target.is_dir():
                raise DocreError(f"output: {target} is a folder")
        if len({target.resolve() for target in self.outputs}) < len(self.outputs):
            raise DocreError("output: a file is named twice")

    @property
    def _found_entities(self) -> bool:
        return self.extractor.finds_entities or self.extractor.finder is not None

    @property
    def _report(self) -> Path:
        target = self.outputs[0]
        return target.with_name(f"{target.name}.problems.jsonl")

    def run(
        self, options: Mapping[str, Any], format: str | None, on_error: OnError, again: bool
    ) -> int:
        """Predict what is not predicted yet, then write the files.

        Args:
            options: All that decides what is written, beside model and documents.
            format: Name of the format of the files.
            on_error: What is done about documents with a problem.
            again: Begin from the first document.

        Returns:
            0, or 1 if nothing could be done with any document; files of an earlier time stay then.
        """
        files = self.sources.files
        require_formats(files, format)
        task = {
            "docre": __version__,
            "model": self.extractor.contents.digest,
            "documents": [f"{name} {file_hash(path)}" for path, name in files],
            **options,
        }
        with Journal(self.outputs[0], task, again, CHUNK) as journal:
            if journal.done:
                self._say(f"going on behind document {journal.done:,} of {journal.path}")
            with self._goes_on(journal):
                self._predict(journal, read_stream(files, format, on_error))
            seen = _count(journal)
            if seen.useful:
                for target in self.outputs:
                    extractions = self._extractions(journal)
                    form_of(target)(target, extractions, self._found_entities)
            self._report.unlink(missing_ok=True)  # of an earlier time
            if seen.counts["problems"]:
                problems = (one for _, wrong in journal.lines() for one in wrong)
                write_lines(self._report, map(msgspec.json.encode, problems))
            journal.remove()
        self._tell(seen)
        return 0 if seen.useful else 1

    def _predict(self, journal: Journal, asked: Iterator[Asked]) -> None:
        for _ in islice(asked, journal.done):
            pass  # their ids are taken
        with progress_bar("documents", _total(self.sources)) as advance:
            advance(journal.done)
            while some := [*islice(asked, CHUNK)]:
                journal.add(self.extractor.read(some))
                advance(len(some))

    @contextmanager
    def _goes_on(self, journal: Journal) -> Iterator[None]:
        """Say where a command that is cut short would go on."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self._say(f"\nstopped behind document {journal.done:,}: the same command goes on there")
            raise
        except OSError as error:  # a full disk, most likely
            raise DocreError(
                f"{journal.path}: {error.strerror or error}; {journal.done:,} documents are done: "
                "free some space, and the same command goes on behind them"
            ) from error

    def _extractions(self, journal: Journal) -> Iterator[Extraction]:
        descriptions = self.extractor.contents.relations.descriptions
        for document, _ in journal.lines():
            if document is not None:
                yield Extraction(document, descriptions)

    def _tell(self, seen: _Seen) -> None:
        counts = seen.counts
        done = counts["documents"] - counts["failed"]
        if seen.useful:
            files = ", ".join(map(str, self.outputs))
            self._say(f"{counts['triples']:,} triples of {done:,} documents written to {files}")
        if self.sources.passed_over:
            self._say(f"{self.sources.passed_over:,} files that are no .txt were passed over")
        if counts[NO_ENTITIES]:
            asked = "" if self.extractor.finder else ": --finder names what finds them"
            self._say(
                f"without entities, so with nothing to relate: {counts[NO_ENTITIES]:,}{asked}"
            )
        if counts[OWN_ENTITIES]:
            self._say(
                f"with entities of their own, which this model does not look at: "
                f"{counts[OWN_ENTITIES]:,}"
            )
        if counts["failed"]:
            self._say(
                f"{counts['failed']:,} of {counts['documents']:,} documents could not be used: see "
                f"{self._report}"
            )
        for one in seen.first:
            self._say(f"  {one}")
        if counts["wrong"] > len(seen.first):
            self._say(f"  ... and {counts['wrong'] - len(seen.first):,} more")

    def _say(self, line: str) -> None:
        """Print a line that may have anything in it."""
        self.console.print(escape(line), highlight=False, soft_wrap=True)


class _Seen(NamedTuple):
    """What is in a journal: counts, and the first things that were wrong."""

    counts: Counter[str]
    first: list[Problem]

    @property
    def useful(self) -> bool:
        """Whether anything could be done with any document."""
        counts = self.counts
        return (
            counts["documents"] - counts["failed"] > counts[NO_ENTITIES] or not counts["documents"]
        )


def _count(journal: Journal) -> _Seen:
    counts: Counter[str] = Counter()
    first: list[Problem] = []
    for document, problems in journal.lines():
        counts["documents"] += 1
        counts["failed"] += document is None
        counts["triples"] += 0 if document is None else len(document.relations or ())
        counts["problems"] += len(problems)
        notes = {one.code for one in problems} & {NO_ENTITIES, OWN_ENTITIES}
        counts.update(notes)
        wrong = [one for one in problems if one.code not in notes]
        counts["wrong"] += len(wrong)
        first += wrong[: _SHOWN - len(first)]
    return _Seen(counts, first)


def _total(sources: Sources) -> int | None:
    """Return the number of documents, where it is the number of texts and lines."""
    total = 0
    for path, is_text in ((source.path, source.is_text) for source in sources.files):
        if not is_text and path.suffix not in (".jsonl", ".ndjson"):
            return None
        total += 1 if is_text else _lines(path)
    return total


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_PIECE), b""))
