"""Write the synthetic corpus to files: ``docre data synth``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from docre.data.progress import progress_bar
from docre.data.summary import CorpusSummary
from docre.data.synthetic.config import SyntheticConfig, SyntheticConfigError
from docre.data.synthetic.corpus import generate_splits
from docre.data.synthetic.relations import SYNTHETIC_RELATIONS
from docre.documents import Document
from docre.errors import DataError, Problem

_SUFFIXES = {"docred": ".json", "docre": ".jsonl"}


def synth(
    output: Path,
    documents: int = 1000,
    dev: int = 200,
    test: int = 200,
    seed: int = 13,
    format: str = "docred",
    unlabelled_fraction: float = 0.0,
    wrong_fraction: float = 0.0,
    distant: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a synthetic corpus: train, dev and test documents and ``relations.json``.

    No fact of dev or test occurs in train. Noise goes to train only, which then keeps the true
    labels beside the noisy ones under ``clean``.

    Args:
        output: Folder for the files.
        documents: Number of training documents.
        dev: Number of development documents.
        test: Number of test documents.
        seed: The corpus is a function of this number and the settings.
        format: ``docred`` for DocRED JSON, ``docre`` for docre's own JSON lines.
        unlabelled_fraction: Share of the training labels to remove.
        wrong_fraction: Number of wrong training labels to add, as a share of the true ones.
        distant: Label the training documents from the knowledge base, not from the text.
        overwrite: Replace a corpus that is already there; refused if left out.

    Raises:
        DataError: If the folder has a training file already and ``overwrite`` is off.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from docre.data.writing import atomic_file, write_documents

    if format not in _SUFFIXES:
        raise SyntheticConfigError(f"format must be docred or docre, it is {format!r}")
    # of either format: a folder with both would have two corpora under one name
    for suffix in () if overwrite else _SUFFIXES.values():
        there = output / f"train{suffix}"
        if there.exists():
            message = "there is a corpus already; --overwrite replaces it"
            raise DataError([Problem("file-exists", message, source=str(there))])
    config = SyntheticConfig(
        seed=seed,
        unlabelled_fraction=unlabelled_fraction,
        wrong_fraction=wrong_fraction,
        distant=distant,
    )
    sizes = {"train": documents, "dev": dev, "test": test}
    splits = generate_splits(config, sizes)
    console = Console()
    table = Table("split", "file", "documents", "words", "entities", "labels", "inter-sentence")
    for name, split in splits.items():
        path = output / f"{name}{_SUFFIXES[format]}"
        summary = CorpusSummary()
        with progress_bar(name, sizes[name]) as advance:
            write_documents(path, _watched(split, summary, advance), format)
        numbers = (summary.documents, sum(summary.words), sum(summary.entities), summary.triples)
        share = summary.inter / max(summary.triples, 1)
        table.add_row(name, path.name, *(f"{number:,}" for number in numbers), f"{share:.1%}")
    with atomic_file(output / "relations.json") as file:
        file.write(json.dumps(dict(SYNTHETIC_RELATIONS), indent=1).encode() + b"\n")
    console.print(f"Written to {escape(str(output))}", soft_wrap=True, highlight=False)
    console.print(table)
    console.print(f"{len(SYNTHETIC_RELATIONS)} relations: relations.json")


def _watched(
    documents: Iterator[Document], summary: CorpusSummary, advance: Callable[[int], None]
) -> Iterator[Document]:
    """Pass documents on, counted."""
    for document in documents:
        summary.add(document)
        advance(1)
        yield document
