"""Triples as a graph: entities of documents are nodes, triples are edges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from docre.data.writing import atomic_file
from docre.pipeline.extraction import Extraction, TextEntity, Triple, each_once

if TYPE_CHECKING:
    from networkx import MultiDiGraph

_NODE = {"document": "string", "name": "string", "type": "string", "mentions": "string"}
_EDGE = {
    "relation": "string",
    "relation_name": "string",
    "score": "double",
    "margin": "double",
    "probability": "double",
    "evidence": "string",
}
# what no XML file may have, whether escaped or not
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
"""


def to_networkx(extractions: Iterable[Extraction]) -> MultiDiGraph:
    """Return a graph of what was found: nodes are ``(document, entity)``, edges are triples.

    Nodes have ``document``, ``name``, ``type`` and ``mentions``, edges ``relation``,
    ``relation_name``, ``score``, ``margin``, ``probability``, ``evidence``, where they are known.

    Raises:
        DataError: If two documents have one id.
    """
    from networkx import MultiDiGraph

    graph = MultiDiGraph()
    for one in each_once(extractions):
        for entity in one.entities:
            graph.add_node((one.id, entity.index), **_of_node(one.id, entity))
        for triple in one.triples:
            ends = (one.id, triple.head.index), (one.id, triple.tail.index)
            graph.add_edge(*ends, **_of_edge(triple))
    return graph


def write_graph(
    path: Path, extractions: Iterable[Extraction], found_entities: bool = False
) -> None:
    """Write a GraphML file, one document after another."""
    with atomic_file(path) as file:
        for piece in _pieces(extractions):
            file.write(piece.encode())


def _pieces(extractions: Iterable[Extraction]) -> Iterator[str]:
    yield _HEADER
    for kind, columns in (("node", _NODE), ("edge", _EDGE)):
        for name, type in columns.items():
            yield (
                f'<key id="{kind}_{name}" for="{kind}" attr.name="{name}" attr.type="{type}"/>\n'
            )
    yield '<graph edgedefault="directed">\n'
    edge = 0
    for number, one in enumerate(extractions):
        for entity in one.entities:
            data = _data("node", _of_node(one.id, entity))
            yield f'<node id="{number}/{entity.index}">{data}</node>\n'
        for triple in one.triples:
            ends = f'source="{number}/{triple.head.index}" target="{number}/{triple.tail.index}"'
            yield f'<edge id="{edge}" {ends}>{_data("edge", _of_edge(triple))}</edge>\n'
            edge += 1
    yield "</graph>\n</graphml>\n"


def _of_node(document: str, entity: TextEntity) -> dict[str, Any]:
    mentions = "; ".join(f"{one.start}-{one.end} {one.text}" for one in entity.mentions)
    return {
        "document": document,
        "name": entity.name,
        "type": entity.type,
        "mentions": mentions,
    }


def _of_edge(triple: Triple) -> dict[str, Any]:
    known = {name: getattr(triple, name) for name in _EDGE}
    known["evidence"] = " ".join(map(str, triple.evidence))
    return {name: value for name, value in known.items() if value is not None}


def _data(kind: str, values: dict[str, Any]) -> str:
    return "".join(
        f"<data key={quoteattr(f'{kind}_{name}')}>{escape(_NO_XML.sub('�', str(value)))}</data>"
        for name, value in values.items()
    )
