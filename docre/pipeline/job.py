"""All documents of some files predicted into files: in bounded memory, and again after a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from docre import __version__
from docre.data.cache import file_hash
from docre.data.progress import progress_bar
from docre.data.reading import OnError
from docre.data.writing import atomic_file
from docre.errors import DocreError, Problem
from docre.pipeline.extraction import Extraction
from docre.pipeline.extractor import NO_ENTITIES, Extractor
from docre.pipeline.inputs import Asked, files_of, read_stream
from docre.pipeline.journal import Journal
from docre.pipeline.output import form_of

__all__ = ["Job", "files_of"]
# Documents that are read together and then written down.
_CHUNK = 128
_SHOWN = 3


@dataclass
class Job:
    """Files to read and files to write.

    Args:
        extractor: The model.
        files: As :func:`docre.pipeline.inputs.files_of` names them.
        outputs: Files to write; that of the first has the journal beside it.

    Raises:
        DocreError: If an output has no form that is known, or would replace what is read.
    """

    extractor: Extractor
    files: Sequence[tuple[Path, str]]
    outputs: Sequence[Path]
    _counts: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        read = {path.resolve() for path, _ in self.files}
        for target in self.outputs:
            form_of(target, self._found_entities)
            if target.resolve() in read:
                raise DocreError(f"output: {target} is one of the files to read")
        if len({target.resolve() for target in self.outputs}) < len(self.outputs):
            raise DocreError("output: a file is named twice")

    @property
    def _found_entities(self) -> bool:
        return self.extractor.finds_entities or self.extractor.finder is not None

    def run(
        self,
        options: Mapping[str, Any],
        format: str | None,
        on_error: OnError,
        again: bool,
        console: Console,
    ) -> int:
        """Predict what is not predicted yet, then write the files.

        Args:
            options: All that decides what is written, beside model and documents.
            format: Name of the format of the files.
            on_error: What is done about documents with a problem.
            again: Begin from the first document.
            console: Where to print.

        Returns:
            0, or 1 if nothing could be done with any document.
        """
        target = self.outputs[0]
        task = {
            "docre": __version__,
            "model": self.extractor.contents.digest,
            "documents": [f"{name} {file_hash(path)}" for path, name in self.files],
            **options,
        }
        with Journal(target, task, again) as journal:
            if journal.done:
                say(console, f"going on behind document {journal.done:,} of {journal.path}")
            asked = read_stream(self.files, format, on_error)
            self._predict(journal, asked)
            problems = self._write(journal)
            journal.remove()
        return self._tell(target, problems, console)

    def _predict(self, journal: Journal, asked: Iterator[Asked]) -> None:
        for _ in islice(asked, journal.done):
            pass  # their ids are taken
        with progress_bar("documents", self._total()) as advance:
            advance(journal.done)
            while some := [*islice(asked, _CHUNK)]:
                journal.add(self.extractor.read(some))
                advance(len(some))

    def _total(self) -> int | None:
        """Return the number of documents, if each file is one."""
        return len(self.files) if all(path.suffix == ".txt" for path, _ in self.files) else None

    def _write(self, journal: Journal) -> list[Problem]:
        """Write all files; the journal is read once for each."""
        problems: list[Problem] = []
        for number, target in enumerate(self.outputs):
            noted: list[Problem] | None = None if number else problems
            form_of(target)(target, self._extractions(journal, noted), self._found_entities)
        report = _report(self.outputs[0])
        report.unlink(missing_ok=True)  # of an earlier time
        if problems:
            with atomic_file(report) as file:
                file.write(b"".join(msgspec.json.encode(one) + b"\n" for one in problems))
        return problems

    def _extractions(
        self, journal: Journal, problems: list[Problem] | None
    ) -> Iterator[Extraction]:
        descriptions = self.extractor.contents.relations.descriptions
        counts: Counter[str] = Counter()
        for document, wrong in journal.lines():
            counts["all"] += 1
            if problems is not None:
                problems += wrong
            if document is None:
                counts["failed"] += 1
                continue
            counts["bare"] += any(one.code == NO_ENTITIES for one in wrong)
            counts["triples"] += len(document.relations or ())
            yield Extraction(document, descriptions)
        self._counts = counts

    def _tell(self, target: Path, problems: Sequence[Problem], console: Console) -> int:
        counts = self._counts
        done = counts["all"] - counts["failed"]
        files = ", ".join(map(str, self.outputs))
        say(console, f"{counts['triples']:,} triples of {done:,} documents written to {files}")
        if counts["bare"]:
            line = f"{counts['bare']:,} documents have no entities, so nothing was looked for there"
            say(console, f"{line}: --finder names what finds them")
        failed = [one for one in problems if one.code != NO_ENTITIES]
        if counts["failed"]:
            say(
                console,
                f"{counts['failed']:,} of {counts['all']:,} documents could not be used: see "
                f"{_report(target)}",
            )
        for one in failed[:_SHOWN]:
            say(console, f"  {one}")
        if len(failed) > _SHOWN:
            say(console, f"  ... and {len(failed) - _SHOWN:,} more")
        return 0 if done > counts["bare"] or not counts["all"] else 1


def say(console: Console, line: str) -> None:
    """Print a line that may have anything in it."""
    console.print(escape(line), highlight=False, soft_wrap=True)


def _report(target: Path) -> Path:
    return target.with_name(f"{target.name}.problems.jsonl")
