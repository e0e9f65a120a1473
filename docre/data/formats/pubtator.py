"""PubTator text, the form of BioCreative's CDR and of most corpora of PubMed abstracts.

Blocks ended by a blank line: ``PMID|t|title``, ``PMID|a|abstract``, then mentions in six columns
parted by tabs (PMID, start, end, text, type, id; offsets count ``title + " " + abstract``) and
relations in four (PMID, type, id, id). Further columns, such as CDR's single names of the parts of
a composite mention, are carried along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from docre.data.formats.abstract_rows import (
    Abstract,
    IdTriple,
    Row,
    Rules,
    disassemble,
    split_title,
)
from docre.data.formats.abstracts import assemble
from docre.data.formats.base import Fields
from docre.data.formats.json_text import not_utf8
from docre.documents import Document, Extra
from docre.errors import DataError, Problem

_BOM = b"\xef\xbb\xbf"
_MENTION, _RELATION = 6, 4


@dataclass(frozen=True, slots=True)
class PubTatorFormat:
    """Reader and writer of PubTator text.

    A mention with several ids, ``A|B``, is a mention of each of them; one without (``-`` or
    ``-1``) is an entity of its own.

    Args:
        pair_types: Types of head and tail of the pairs that may carry a relation, such as
            ``(("Chemical", "Disease"),)`` for CDR; relations between other types are passed over
            with a note. Empty for no restriction: a corpus has the types it has.
    """

    name: str = "pubtator"
    pair_types: tuple[tuple[str, str], ...] = ()

    @property
    def rules(self) -> Rules:
        """How mentions become entities."""
        return Rules("pubtator", "-1", True, False, self.pair_types, None)

    def split(self, data: bytes) -> Iterator[bytes]:
        """Cut a file at its blank lines."""
        return split_blocks(data)

    def parse(self, record: bytes, index: int) -> tuple[Document, list[Problem]]:
        """Make a document of one block."""
        return assemble(read_block(record, index), self.rules)

    def render(self, documents: Iterable[Document]) -> Iterator[bytes]:
        """Yield one block a document."""
        for document in documents:
            abstract = disassemble(document, self.rules)
            lines = [*block_lines(document, abstract), *relation_lines(abstract)]
            yield ("\n".join(lines) + "\n\n").encode()


def split_blocks(data: bytes) -> Iterator[bytes]:
    """Cut PubTator text at its blank lines."""
    data = data.removeprefix(_BOM)
    if not data.strip():
        raise DataError([Problem("empty-file", "the file is empty")])
    block: list[bytes] = []
    for line in data.split(b"\n"):
        if line.strip():
            block.append(line.removesuffix(b"\r"))
        elif block:
            yield b"\n".join(block)
            block = []
    if block:
        yield b"\n".join(block)


def read_block(record: bytes, index: int) -> Abstract:
    """Read one block, or raise a :class:`DataError` with the lines that are wrong."""
    try:
        first, *lines = record.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        name = record.partition(b"|")[0][:40].decode("utf-8", "replace")
        raise not_utf8(error.start, name or f"#{index}") from None
    id, found, title = first.partition("|t|")
    if not found:
        message = f"expected ID|t|title, found {first[:40]!r}"
        raise DataError([Problem("missing-title", message, f"#{index}", "line 1")])
    fields = Fields(id or f"#{index}")
    prefix = f"{id}|a|"
    if not lines or not lines[0].startswith(prefix):
        shown = lines[0][:40] if lines else "the end of the block"
        fields.add("missing-abstract", f"expected {prefix}abstract, found {shown!r}", "line 2")
        fields.done()
    rows, triples = [], []
    for number, line in enumerate(lines[1:], start=3):
        columns, place = line.split("\t"), f"line {number}"
        if columns[0] != id:
            message = f"the line is of {columns[0][:40]!r}; blocks end with a blank line"
            fields.add("foreign-line", message, place)
        elif len(columns) >= _MENTION or (columns[1:2] and columns[1].isdecimal()):
            rows.append(_row(fields, columns, place))
        else:
            triples.append(read_relation(fields, columns, place))
    fields.done()
    return Abstract(id, f"{title} {lines[0].removeprefix(prefix)}", title, rows, triples)


def _row(fields: Fields, columns: list[str], place: str) -> Row:
    if len(columns) < _MENTION:
        message = f"{len(columns)} columns; a mention has {_MENTION}"
        fields.add("wrong-columns", message, place)
        return Row(0, 0, "", "", "")
    offsets = []
    for part, text in zip(("start", "end"), columns[1:3], strict=True):
        # nine digits are more than any text has characters
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            message = f"expected a whole number, found {text[:40]!r}"
            fields.add("wrong-type", message, f"{place} ({part})")
            text = "0"
        offsets.append(int(text))
    start, end = offsets
    return Row(start, end, columns[3], columns[4], columns[5], _further(columns, _MENTION))


def read_relation(fields: Fields, columns: list[str], place: str) -> IdTriple:
    """Read the columns of a relation, or note what is wrong with them."""
    if len(columns) < _RELATION:
        message = f"{len(columns)} columns; a relation has {_RELATION}"
        fields.add("wrong-columns", message, place)
        return IdTriple("", "", "")
    return IdTriple(columns[1], columns[2], columns[3], _further(columns, _RELATION))


def _further(columns: list[str], known: int) -> Extra | None:
    return {"columns": columns[known:]} if len(columns) > known else None


def block_lines(document: Document, abstract: Abstract) -> Iterator[str]:
    """Yield the lines of title, abstract and mentions."""
    title, body = split_title(document, abstract)
    if "|t|" in abstract.id:
        raise _unwritable(abstract.id, "the id contains |t|")
    yield _joined([f"{abstract.id}|t|"], abstract.id) + _one_line(title)
    yield f"{abstract.id}|a|{_one_line(body)}"
    for row in abstract.rows:
        surface = _one_line(row.surface).replace("\t", " ")
        columns = [abstract.id, str(row.start), str(row.end), surface, row.type, row.id]
        yield _joined(columns + _columns(row.extra), abstract.id)


def relation_lines(abstract: Abstract) -> Iterator[str]:
    """Yield the lines of the relations, each in the spelling it was read in."""
    for triple in abstract.triples or ():
        name = (triple.extra or {}).get("type", triple.type)
        columns = [abstract.id, name, triple.subj, triple.obj]
        yield _joined(columns + _columns(triple.extra), abstract.id)


def _columns(extra: Extra | None) -> list[str]:
    return [str(column) for column in (extra or {}).get("columns", ())]


def _joined(columns: list[str], id: str) -> str:
    line = "\t".join(columns)
    if line.count("\t") >= len(columns) or "\n" in line:
        wrong = next(column for column in columns if "\t" in column or "\n" in column)
        raise _unwritable(id, f"{wrong[:60]!r} contains a tab or a line break")
    return line


def _one_line(text: str) -> str:
    """Replace line breaks by blanks; offsets stay as they are."""
    return text.replace("\n", " ").replace("\r", " ")


def _unwritable(id: str, message: str) -> DataError:
    return DataError([Problem("cannot-write", message, id)])
