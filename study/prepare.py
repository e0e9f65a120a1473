"""From the corpora to the files that are trained on, selected on and scored.

The rules are fixed and no document is on two sides of a split. The checksum of every corpus file
is checked, so that a number always belongs to the same documents.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from docre.data.relations import RelationSet
from docre.data.writing import atomic_file
from study.places import DATA, corpora

# what everything is made of, with the beginnings of their SHA-256
SOURCES = {
    "redocred/dev_revised.json": "051ee1d057204a5d",
    "redocred/dev_docred_labels.json": "8f2e44904d7ce39b",
    "redocred/dev_ext_labels.json": "2c34e62d1e434416",
    "docred/train_annotated_446.json": "9aaaa7390dc1946d",
    "docred/unlabelled_999.json": "7b1fd6da6d675051",
    "cdr/CDR_TrainingSet.PubTator.txt": "5e3734bef7b33ae1",
    "cdr/CDR_DevelopmentSet.PubTator.txt": "9e18d8e700168887",
    "cdr/train_filter.data": "d12936a70c4e96fa",
    "cdr/dev_filter.data": "f2390876853ea8e2",
    "chemdisgene/sample_300.json": "0c8060561f85e707",
}

_PUBTATOR = ("Training", "Development", "Test")

Json = list[dict[str, Any]]


def prepare() -> None:
    """Write all files into ``data/results``."""
    redocred()
    cdr()
    chemdisgene()


def redocred() -> None:
    """Re-DocRED's development file: 0-359 train, 360-399 select, the last 100 are only scored."""
    folder = DATA / "redocred"
    documents = read_json("redocred/dev_revised.json")
    first, scored = documents[:400], documents[-100:]
    write_json(folder / "train.json", first[:360])
    write_json(folder / "dev.json", first[360:])
    write_json(folder / "test.json", scored)
    write_json(folder / "train_400.json", first)
    # documents with three kinds of labels; where entities are not the same there is but one kind
    titles = {document["title"] for document in first}
    for name in ("docred", "ext"):
        less = [d for d in read_json(f"redocred/dev_{name}_labels.json") if d["title"] in titles]
        write_json(folder / f"train_363_{name}.json", less)
    shared = {document["title"] for document in less}
    write_json(folder / "train_363.json", [d for d in first if d["title"] in shared])
    write_json(folder / "pretrain_446.json", read_json("docred/train_annotated_446.json"))
    write_json(folder / "unlabelled_999.json", read_json("docred/unlabelled_999.json"))
    write_json(folder / "relations.json", list(RelationSet.docred()))


def cdr() -> None:
    """CDR: 400 abstracts of its training file train, 100 select; its development is scored."""
    forms = {"{}_filter.data": ("train", "dev", "test"), "CDR_{}Set.PubTator.txt": _PUBTATOR}
    for name, (train, dev, test) in forms.items():
        # one abstract a line, or abstracts between empty lines
        gap = "\n\n" if name.endswith(".txt") else "\n"
        parts = read(f"cdr/{name.format(train)}").decode().strip().split(gap)
        if len(parts) != 500:
            raise SystemExit(f"cdr/{name.format(train)}: {len(parts)} abstracts instead of 500")
        folder = DATA / "cdr"
        write(folder / name.format(train), gap.join(parts[:400]) + gap)
        write(folder / name.format(dev), gap.join(parts[400:]) + gap)
        write(folder / name.format(test), read(f"cdr/{name.format(dev)}").decode())


def chemdisgene() -> None:
    """The sample of ChemDisGene: 180 documents train, 20 select, the last 100 are scored."""
    documents = read_json("chemdisgene/sample_300.json")
    folder = DATA / "chemdisgene"
    write_json(folder / "train.json", documents[:180])
    write_json(folder / "valid.json", documents[180:200])
    write_json(folder / "test.anno_all.json", documents[200:])


def read(name: str) -> bytes:
    """Return a corpus file.

    Raises:
        SystemExit: If it is not there, or another file.
    """
    path = corpora() / name
    if not path.is_file():
        raise SystemExit(f"{path} is not there; docs/results.md says what it is")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(SOURCES[name]):
        raise SystemExit(f"{path} is another file: SHA-256 {found}, not {SOURCES[name]}...")
    return content


def read_json(name: str) -> Json:
    """Return the documents of a corpus file."""
    documents: Json = json.loads(read(name))
    return documents


def write(path: Path, text: str) -> None:
    """Write a text, but leave a file alone that has it already."""
    if path.is_file() and path.read_bytes() == text.encode():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(text.encode())


def write_json(path: Path, content: object) -> None:
    """Write documents or names."""
    write(path, json.dumps(content, ensure_ascii=False))
