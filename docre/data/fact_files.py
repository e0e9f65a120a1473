"""Facts known from training, read from a list of them or from labelled documents."""

from __future__ import annotations

from pathlib import Path

import msgspec

from docre.data.reading import read_bytes, read_documents
from docre.errors import DataError, Problem
from docre.scoring.facts import Facts, NameTriple

_BOM = b"\xef\xbb\xbf"


def read_facts(path: str | Path, name: str = "") -> Facts:
    """Read a list of facts, or collect them from a file of documents.

    The file is read each time: a name says nothing about what is in a file.

    Args:
        path: A JSON list of ``[head name, tail name, relation]`` (``.fact``), or documents.
        name: Shown beside every Ign F1; the file's name if left out.

    Raises:
        DataError: If the file cannot be read or holds no facts.
    """
    path = Path(path)
    name = name or path.name
    data = read_bytes(path).removeprefix(_BOM)
    # a list of facts begins with two brackets, documents never do
    if not b"".join(data[:256].split()).startswith(b"[["):
        return Facts.from_documents(read_documents(path), name)
    try:
        triples = msgspec.json.decode(data, type=list[NameTriple])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"not a list of [head name, tail name, relation]: {error}"
        raise DataError([Problem("wrong-facts", message, source=str(path))]) from None
    return Facts(name, frozenset(triples))
