"""The formats by name, and which one a file has."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from docre.data.formats.base import Format
from docre.data.formats.json_text import not_utf8
from docre.errors import DataError, Problem

FORMATS = {
    "docre": "docre.data.formats.own:DocreFormat",
    "docred": "docre.data.formats.docred:DocREDJson",
    "chemdisgene": "docre.data.formats.chemdisgene:ChemDisGeneFormat",
    "chemdisgene-pubtator": "docre.data.formats.chemdisgene:ChemDisGenePubTatorFormat",
    "pubtator": "docre.data.formats.pubtator:PubTatorFormat",
    "eog": "docre.data.formats.eog:EogFormat",
}


_HEAD = 1 << 16
_KEYS = {
    "docred": {b"vertexSet", b"sents"},
    "docre": {b"sentences", b"entities"},
    "chemdisgene": {b"docid", b"abstract"},
    "docre, from text": {b"id", b"text"},
    "predictions": {b"h_idx", b"t_idx"},
}
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|[\[\]{}"]', re.DOTALL)


def format_named(name: str) -> Format:
    """Return the format of that name with its default settings.

    Raises:
        DataError: If there is no such format.
    """
    if name not in FORMATS:
        message = f"unknown format {name!r}; there are {', '.join(FORMATS)}"
        raise DataError([Problem("unknown-format", message)])
    module, _, attribute = FORMATS[name].partition(":")
    format_class = getattr(import_module(module), attribute)
    made: Format = format_class()
    return made


def detect_format(path: Path, data: bytes) -> str:
    """Find out which format a file has, from its first kilobytes."""
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] in (b"[", b"{") or not head:
        keys = _document_keys(head)
        kind = next((kind for kind, known in _KEYS.items() if keys & known), "docre")
        if kind == "predictions":
            message = (
                "this is a file of predictions (result.json), not of documents; "
                "are the arguments swapped?"
            )
            raise DataError([Problem("not-documents", message, source=str(path))])
        return kind.partition(",")[0]
    if head.startswith(b"PK\x03\x04"):
        message = (
            "this is a zip, perhaps a submission with predictions, not a file of documents; "
            "are the arguments swapped?"
        )
        raise DataError([Problem("not-documents", message, source=str(path))])
    first = head.split(b"\n", 1)[0]
    if b"|t|" in first or b"|a|" in first:
        return "pubtator"
    if first.count(b"\t") >= 17:
        return "eog"
    try:
        # the last bytes may be the beginning of a character that is cut here
        head[:-3].decode()
    except UnicodeDecodeError as error:
        position = len(data[:_HEAD]) - len(head) + error.start
        raise DataError(p.at(source=str(path)) for p in not_utf8(position).problems) from None
    message = f"cannot tell the format; name one of {', '.join(FORMATS)}"
    raise DataError([Problem("unknown-format", message, source=str(path))])


def _document_keys(head: bytes) -> set[bytes]:
    """Collect the keys of the outermost objects, in JSON that may break off or be broken.

    Those inside do not count: what we keep as ``extra`` of a document may hold any key.
    """
    keys: set[bytes] = set()
    depth = level = 0
    for token in _TOKEN.finditer(head):
        text, colon = token.groups()
        if text is not None:
            if colon and depth == level:
                keys.add(text)
        elif token[0] == b'"':  # a string that does not end here
            break
        elif token[0] in b"[{":
            depth += 1
            level = level or (depth if token[0] == b"{" else 0)
        else:
            depth -= 1
    return keys
