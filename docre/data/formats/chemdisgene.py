"""ChemDisGene: abstracts with chemicals, diseases and genes, in JSON and in its authors' form.

The JSON is a list of objects with ``docid``, ``title`` and ``abstract`` (or ``text``), ``entity``
(``start``, ``end``, ``mention``, ``type``, ``id``) and ``relation`` (``type``, ``subj``, ``obj``).
The authors' form is PubTator text with the relations in files of their own, four columns a line.
As published, an id is taken as it stands, composite ones too, ``-`` is one entity that is in no
pair, an entity has the type of its last mention, and only 14 of the 18 relations are in use.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from docre.data.formats.abstract_rows import Abstract, IdTriple, Row, Rules, disassemble
from docre.data.formats.abstracts import assemble
from docre.data.formats.base import Fields, leftover
from docre.data.formats.json_text import decode_object, not_utf8, split_json
from docre.data.formats.pubtator import (
    block_lines,
    read_block,
    read_relation,
    relation_lines,
    split_blocks,
)
from docre.data.reading import read_bytes
from docre.documents import Document
from docre.errors import DataError, Problem

CHEMDISGENE_RELATIONS = (
    "chem_disease:marker/mechanism",
    "chem_disease:therapeutic",
    "chem_gene:increases^expression",
    "chem_gene:decreases^expression",
    "gene_disease:marker/mechanism",
    "chem_gene:increases^activity",
    "chem_gene:decreases^activity",
    "chem_gene:increases^metabolic_processing",
    "chem_gene:affects^binding",
    "chem_gene:increases^transport",
    "chem_gene:decreases^metabolic_processing",
    "chem_gene:affects^localization",
    "chem_gene:affects^expression",
    "gene_disease:therapeutic",
)
CHEMDISGENE_PAIR_TYPES = (("Chemical", "Disease"), ("Chemical", "Gene"), ("Gene", "Disease"))

_RULES = Rules("chemdisgene", "-", False, True, CHEMDISGENE_PAIR_TYPES, CHEMDISGENE_RELATIONS)
_DOCUMENT = frozenset({"docid", "title", "abstract", "entity", "relation"})
_TEXT_DOCUMENT = frozenset({"docid", "text", "entity", "relation"})
_MENTION = frozenset({"start", "end", "mention", "type", "id"})
_TRIPLE = frozenset({"type", "subj", "obj"})
_log = logging.getLogger(__name__)

# One abstract and the lines on its relations, each with its place; None where nothing is labelled.
_Labelled = tuple[bytes, list[tuple[str, bytes]] | None]


@dataclass(frozen=True, slots=True)
class ChemDisGeneFormat:
    """Reader and writer of the JSON."""

    name: str = "chemdisgene"

    def split(self, data: bytes) -> Iterator[bytes]:
        """Cut a file into one record a document."""
        return split_json(data)

    def parse(self, record: bytes, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one record."""
        raw = decode_object(record, f"#{index}")
        docid = raw.get("docid")
        fields = Fields(docid if type(docid) is str and docid else f"#{index}")
        fields.get(raw, "docid", str, "")
        title = None
        if "text" in raw and not {"title", "abstract"} & raw.keys():
            text, known = fields.get(raw, "text", str, ""), _TEXT_DOCUMENT
        else:
            title = fields.get(raw, "title", str, "")
            text, known = f"{title} {fields.get(raw, 'abstract', str, '')}", _DOCUMENT
        rows = [
            _row(fields, item, f"entity[{e}]")
            for e, item in enumerate(fields.get(raw, "entity", list, ""))
        ]
        listed = fields.optional(raw, "relation", list, "", None)
        triples = None
        if listed is not None:
            triples = [_triple(fields, item, f"relation[{r}]") for r, item in enumerate(listed)]
        fields.done()
        more = leftover(raw, known) or {}
        return assemble(Abstract(raw["docid"], text, title, rows, triples, more), _RULES)

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield a JSON array, one document a line."""
        separator = b"[\n"
        for document in documents:
            yield separator + msgspec.json.encode(_to_plain(disassemble(document, _RULES)))
            separator = b",\n"
        yield b"[]\n" if separator == b"[\n" else b"\n]\n"


@dataclass(frozen=True, slots=True)
class ChemDisGenePubTatorFormat:
    """Reader and writer of abstracts in PubTator text with relations in files beside them.

    Args:
        relationships: Files of relations, ``.gz`` allowed; without any, and without relations in
            the blocks themselves, the documents are unlabelled.
    """

    name: str = "chemdisgene-pubtator"
    relationships: tuple[Path, ...] = ()

    def split(self, data: bytes) -> Iterator[_Labelled]:
        """Cut the abstracts into blocks, each with its lines of the relationship files."""
        if not self.relationships:
            yield from ((block, None) for block in split_blocks(data))
            return
        lines = _lines_by_document(self.relationships)
        used = set()
        for block in split_blocks(data):
            docid = block.partition(b"|t|")[0]
            used.add(docid)
            yield block, lines.get(docid, [])
        _account_for([line for docid, rest in lines.items() if docid not in used for line in rest])

    def parse(self, record: _Labelled, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one abstract and the lines on its relations."""
        block, lines = record
        abstract = read_block(block, index)
        fields = Fields(abstract.id or f"#{index}")
        triples = [
            read_relation(fields, _decoded(line, fields.document).split("\t"), place)
            for place, line in lines or ()
        ]
        fields.done()
        labelled = [_canonical(triple) for triple in (*(abstract.triples or ()), *triples)]
        known = None if lines is None and not labelled else labelled
        return assemble(replace(abstract, triples=known), _RULES)

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield the abstracts, one block a document."""
        for document in documents:
            lines = block_lines(document, disassemble(document, _RULES))
            yield ("\n".join(lines) + "\n\n").encode()

    def render_relationships(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield the file of relations that belongs to the abstracts."""
        for document in documents:
            lines = relation_lines(disassemble(document, _RULES))
            yield "".join(f"{line}\n" for line in lines).encode()


def canonical_relation(name: str) -> str:
    """Return a relation in the spelling of :data:`CHEMDISGENE_RELATIONS`.

    The authors also write ``chem^gene:affects-binding`` for ``chem_gene:affects^binding``.
    """
    pair, _, rest = name.partition(":")
    if "^" not in pair:
        return name
    pair = pair.replace("^", "_")
    return f"{pair}:{rest.replace('-', '^', 1) if pair == 'chem_gene' else rest}"


def _canonical(triple: IdTriple) -> IdTriple:
    name = canonical_relation(triple.type)
    if name == triple.type:
        return triple
    return replace(triple, type=name, extra={**(triple.extra or {}), "type": triple.type})


def _row(fields: Fields, item: Any, place: str) -> Row:
    raw = fields.item(item, dict, place)
    return Row(
        start=fields.get(raw, "start", int, place),
        end=fields.get(raw, "end", int, place),
        surface=fields.get(raw, "mention", str, place),
        type=fields.get(raw, "type", str, place),
        id=fields.get(raw, "id", str, place),
        extra=leftover(raw, _MENTION),
    )


def _triple(fields: Fields, item: Any, place: str) -> IdTriple:
    raw = fields.item(item, dict, place)
    return IdTriple(
        type=fields.get(raw, "type", str, place),
        subj=fields.get(raw, "subj", str, place),
        obj=fields.get(raw, "obj", str, place),
        extra=leftover(raw, _TRIPLE),
    )


def _to_plain(abstract: Abstract) -> dict[str, Any]:
    raw: dict[str, Any] = {"docid": abstract.id}
    if abstract.title is None:
        raw["text"] = abstract.text
    else:
        raw["title"] = abstract.title
        raw["abstract"] = abstract.text[len(abstract.title) + 1 :]
    raw["entity"] = [
        {"start": row.start, "end": row.end, "mention": row.surface, "type": row.type, "id": row.id}
        | dict(row.extra or {})
        for row in abstract.rows
    ]
    if abstract.triples is not None:
        raw["relation"] = [
            {"type": triple.type, "subj": triple.subj, "obj": triple.obj} | dict(triple.extra or {})
            for triple in abstract.triples
        ]
    return {**raw, **abstract.more}


def _lines_by_document(paths: Iterable[Path]) -> dict[bytes, list[tuple[str, bytes]]]:
    lines: dict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
    for path in paths:
        try:
            data = read_bytes(Path(path))
        except (
            DataError
        ) as error:  # named in the message: a reader fills in the abstracts as source
            raise DataError(
                replace(problem, message=f"{path}: {problem.message}") for problem in error.problems
            ) from None
        for number, line in enumerate(data.split(b"\n"), start=1):
            if line.strip():
                docid = line.partition(b"\t")[0]
                lines[docid].append((f"{Path(path).name} line {number}", line.removesuffix(b"\r")))
    return dict(lines)


def _account_for(unused: list[tuple[str, bytes]]) -> None:
    """Say what became of the lines whose document is not among the abstracts."""
    problems = [
        Problem("wrong-columns", "fewer than the 4 columns of a relation", "", place)
        for place, line in unused
        if line.count(b"\t") < 3
    ]
    if problems:
        raise DataError(problems)
    if unused:
        _log.warning("%d relations are of documents that are not among the abstracts", len(unused))


def _decoded(line: bytes, document: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(error.start, document) from None
