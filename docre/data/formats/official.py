"""Predictions in the form the official evaluation takes: ``result.json`` and its submission zip.

A list of ``{"title", "h_idx", "t_idx", "r", "evidence"}``; the competition page wants it as a zip
with ``result.json`` in it.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from docre.data.formats.base import Fields
from docre.data.formats.json_text import decode, require_content, require_utf8
from docre.data.packed import read_limited
from docre.data.reading import read_bytes, read_documents
from docre.data.writing import atomic_file
from docre.errors import DataError, Problem
from docre.scoring import Prediction

_INNER_NAME = "result.json"
_ENTRY = re.compile(rb'"[ht]_idx"\s*:')
# Others want as much memory as the file says.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises for broken, locked and exotic archives.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    OSError,
    EOFError,
)


def read_predictions(path: str | Path) -> list[Prediction]:
    """Read predictions from ``result.json``, a submission zip or a file of documents.

    Raises:
        DataError: With every entry that is not a prediction.
    """
    source = Path(path)
    data = read_bytes(source)
    try:
        zipped = data[:2] == b"PK"
        if zipped:
            data = _unzip(data)
        data = require_content(data)
        require_utf8(data)
        if not zipped and not _is_result(data):
            return [
                Prediction(doc.id, r.head, r.tail, r.relation, r.evidence or (), r.score)
                for doc in read_documents(source)
                for r in doc.relations or ()
            ]
        return _parse(decode(data))
    except DataError as error:
        named = (p if p.source else p.at(source=str(source)) for p in error.problems)
        raise DataError(named, error.hint) from None


def write_predictions(path: str | Path, predictions: Iterable[Prediction]) -> int:
    """Write predictions as ``result.json``, or as a submission if the name ends in ``.zip``.

    Returns:
        The number of predictions.
    """
    target = Path(path)
    entries = [result_entry(prediction) for prediction in predictions]
    data = msgspec.json.encode(entries)
    if target.suffix == ".zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            # a fixed date: equal predictions give an equal file
            info = zipfile.ZipInfo(_INNER_NAME, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
        data = buffer.getvalue()
    with atomic_file(target) as file:
        file.write(data)
    return len(entries)


def result_entry(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as ``result.json`` has it."""
    entry = {
        "title": prediction.document,
        "h_idx": prediction.head,
        "t_idx": prediction.tail,
        "r": prediction.relation,
        "evidence": prediction.evidence,
    }
    return entry if prediction.score is None else {**entry, "score": prediction.score}


def _is_result(data: bytes) -> bool:
    """Tell a list of predictions from a file of documents by its first object."""
    head = data[:4096]
    return _ENTRY.search(head) is not None or b"".join(head.split()) == b"[]"


def _parse(entries: Any) -> list[Prediction]:
    fields = Fields("")
    predictions = []
    for index, item in enumerate(fields.item(entries, list, "the file")):
        place = f"[{index}]"
        if type(item) is not dict:
            fields.item(item, dict, place)
            continue
        entry: dict[str, Any] = item
        evidence = fields.optional(entry, "evidence", list, place, [])
        predictions.append(
            Prediction(
                document=fields.get(entry, "title", str, place),
                head=fields.get(entry, "h_idx", int, place),
                tail=fields.get(entry, "t_idx", int, place),
                relation=fields.get(entry, "r", str, place),
                evidence=fields.integers(evidence, f"{place}.evidence"),
                score=fields.number(entry, "score", place),
            )
        )
    fields.done()
    return predictions


def _unzip(data: bytes) -> bytes:
    """Return the one JSON file of a submission; nothing is written to disk on the way."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                m
                for m in archive.infolist()
                # a Mac adds files of its own
                if m.filename.endswith(".json") and not m.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                message = f"expected one JSON file in the zip, found {len(members)}"
                raise DataError([Problem("broken-zip", message)])
            if members[0].compress_type not in _PACKINGS:
                message = f"{members[0].filename} is packed in a way that submissions are not"
                raise DataError([Problem("broken-zip", message)])
            with archive.open(members[0]) as file:
                return read_limited(file, len(data))
    except DataError:
        raise
    except _ZIP_ERRORS as error:
        raise DataError([Problem("broken-zip", f"the zip cannot be read: {error}")]) from None
