"""Bad files: how each is made, and what has to be said of it.

What the tests of single readers already list is taken from there. A file of documents has a good
one before and behind the bad one, so that what is wrong has to be told from what is not.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.data.test_chemdisgene import RECORD
from tests.data.test_chemdisgene import test_broken_records_are_named as chemdisgene_records
from tests.data.test_eog import line as eog_line
from tests.data.test_eog import test_broken_lines_are_named as eog_lines
from tests.data.test_pubtator import BLOCK
from tests.data.test_pubtator import test_broken_blocks_are_named as pubtator_blocks
from tests.data.test_reading import (
    DOCRED,
    DOCRED_CASES,
    OWN,
    OWN_CASES,
    TEXT,
    TEXT_CASES,
    changed,
)
from tests.data.test_reading import test_files_that_are_broken as broken_files

# What is fine for whoever does not know which relations and types there are.
LENIENT = ("unknown-relation", "unknown-type")
SECOND = [
    {**DOCRED, "title": "good 1"},
    {
        **DOCRED,
        "title": "good 2",
        "labels": [{"h": 1, "t": 0, "r": "home_of", "evidence": [0]}],
    },
]


class Bad(NamedTuple):
    """One bad file.

    Args:
        name: What is wrong.
        ending: Of the file.
        make: Writes it to a path.
        said: What every message about it has to have in it, beside the file's name.
        codes: Codes of the problems that reading it meets.
    """

    name: str
    ending: str
    make: Callable[[Path], object]
    said: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    @property
    def lenient(self) -> bool:
        """Whether it is good where nothing is known of relations and types."""
        return bool(self.codes) and set(self.codes) <= set(LENIENT)


def bytes_of(value: Any, lines: bool = False) -> bytes:
    """Return JSON, or a line of it for each item."""
    if lines:
        return "".join(json.dumps(one) + "\n" for one in value).encode()
    return json.dumps(value).encode()


def _cases(test: Callable[..., None]) -> list[tuple[Any, ...]]:
    """Return the cases that a parametrized test lists."""
    return [tuple(case) for case in test.pytestmark[0].args[1]]  # type: ignore[attr-defined]


def _of_bytes(name: str, ending: str, data: bytes, said=(), codes=()) -> Bad:
    return Bad(name, ending, lambda path: path.write_bytes(data), tuple(said), tuple(codes))


def bad_documents() -> Iterator[Bad]:
    """Yield files whose second document is bad."""
    for form, base, cases, key, lines in (
        ("docred", DOCRED, DOCRED_CASES, "title", False),
        ("own", OWN, OWN_CASES, "id", True),
        ("text", TEXT, TEXT_CASES, "id", False),
    ):
        for number, (path, value, problems, _) in enumerate(cases):
            given = changed(base, path, value)
            listed = [{**base, key: "good 1"}, given, {**base, key: "good 2"}]
            document = "#1" if path == key else "Arle"
            said = [repr(document), *(field for _, field in problems)]
            yield _of_bytes(
                f"{form} {number}: {path} = {value!r:.30}",
                ".jsonl" if lines else ".json",
                bytes_of(listed, lines),
                said,
                [code for code, _ in problems],
            )


def more_bad_documents() -> Iterator[Bad]:
    """Yield bad documents in other formats, and what is bad between documents."""
    for number, (old, new, code, field) in enumerate(_cases(pubtator_blocks)):
        data = BLOCK.replace("77", "76") + BLOCK.replace(old, new)
        yield _of_bytes(f"pubtator {number}", ".txt.pubtator", data.encode(), [field], [code])
    for number, (change, code, field) in enumerate(_cases(chemdisgene_records)):
        data = bytes_of([{**RECORD, "docid": "76"}, {**RECORD, **change}])
        yield _of_bytes(f"chemdisgene {number}", ".json", data, [field], [code])
    for number, (record, code, field) in enumerate(_cases(eog_lines)):
        data = eog_line(id="76") + b"\n" + record + b"\n"
        yield _of_bytes(f"eog {number}", ".data", data, [field], [code])
    twice = bytes_of([SECOND[0], DOCRED, DOCRED])
    yield _of_bytes("two of one title", ".json", twice, ["'Arle'", "title"], ["duplicate-title"])
    for number, one in enumerate(odd_numbers()):
        given = bytes_of([SECOND[0], "HERE", SECOND[1]]).replace(b'"HERE"', one)
        yield _of_bytes(f"number {number}", ".json", given)


def odd_numbers() -> Iterator[bytes]:
    """Yield a document with numbers that JSON does not have, or nobody can hold."""
    text = json.dumps(changed(DOCRED, "labels.0.h", "HERE"))
    for number in (
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-0.5",
        "0x1",
        "1" * 5000,
        "1e5",
        "--1",
    ):
        yield text.replace('"HERE"', number).encode()


def broken() -> Iterator[Bad]:
    """Yield files that are no whole file of documents."""
    whole = bytes_of([{**DOCRED, "title": "good 1"}, DOCRED])
    for number, (data, code, message) in enumerate(_cases(broken_files)):
        if data.split() in ([b"[]"], [b"[", b"]"]):
            continue  # as a file of predictions it is fine
        yield _of_bytes(f"broken {number}: {data[:24]!r}", ".json", data, [message], [code])
    packed = gzip.compress(whole, mtime=0)
    yield _of_bytes("torn gz", ".json.gz", packed[:-20], (), ["broken-gzip"])
    yield _of_bytes("no gz inside", ".json.gz", whole, (), ["broken-gzip"])
    yield _of_bytes("flipped bits in gz", ".json.gz", packed[:30] + b"\xff\xff" + packed[32:])
    yield _of_bytes("gz of nothing", ".json.gz", gzip.compress(b""), ["empty"], ["empty-file"])
    yield _of_bytes("empty gz", ".json.gz", b"")
    yield _of_bytes("gz named json", ".json", packed)
    yield _of_bytes("latin-1", ".json", '[{"title": "Köln"}]'.encode("latin-1"), ["UTF-8"])
    for code in ("utf-16", "utf-16-le", "utf-32"):
        yield _of_bytes(code, ".json", whole.decode().encode(code))
    yield _of_bytes("utf-16 pubtator", ".pubtator", BLOCK.encode("utf-16"))
    yield _of_bytes("latin-1 lines", ".jsonl", bytes_of(SECOND, True) + "{é}".encode("latin-1"))
    yield _of_bytes("zip", ".json", _zip(whole), ["zip"], ["not-documents"])
    yield _of_bytes("yaml", ".yaml", b"- title: Arle\n  sents: []\n", ["format"])
    yield _of_bytes("csv", ".csv", b"title,head,tail\na,1,2\n", ["format"])
    yield _of_bytes("html", ".html", b"<!doctype html><p>Not found</p>", ["format"])
    yield _of_bytes("a checkpoint", ".ckpt", b"PK\x03\x04" + bytes(200))
    yield _of_bytes("numpy", ".npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<i8'}")
    yield _of_bytes("documents in a list of lists", ".json", bytes_of([[DOCRED]]))
    yield _of_bytes("half a document", ".json", whole[:-60], ["breaks off"], ["truncated-json"])
    yield _of_bytes("python repr", ".json", repr([DOCRED]).encode())
    yield _of_bytes(
        "results for documents", ".json", bytes_of(RESULT), ["predictions"], ["not-documents"]
    )
    yield Bad("a folder", ".json", Path.mkdir, ())
    yield Bad("no such file", ".json", lambda path: None, ())
    yield Bad("a dangling link", ".json", lambda path: path.symlink_to("gone"), ())
    yield Bad("a link to itself", ".json", lambda path: path.symlink_to(path), ())


RESULT = [
    {"title": "good 1", "h_idx": 0, "t_idx": 1, "r": "lives_in", "evidence": [0]},
    {"title": "good 2", "h_idx": 1, "t_idx": 0, "r": "home_of", "evidence": []},
]
LINES = [
    {
        "id": name,
        "triples": [{"head": 0, "tail": 1, "relation": "lives_in", "evidence": [0], "score": 1.0}],
    }
    for name in ("good 1", "good 2")
]


def bad_predictions() -> Iterator[Bad]:
    """Yield files of predictions that cannot be read."""
    for key, value in (
        ("title", None),
        ("title", 7),
        ("h_idx", "0"),
        ("h_idx", 0.0),
        ("t_idx", None),
        ("t_idx", True),
        ("r", 3),
        ("r", ["a"]),
        ("evidence", "0"),
        ("evidence", ["0"]),
        ("evidence", {"0": 1}),
        ("score", "high"),
    ):
        data = bytes_of([RESULT[0], {**RESULT[1], key: value}])
        yield _of_bytes(f"result {key} = {value!r}", ".json", data, [f"[1].{key}"], ["wrong-type"])
    for key in ("title", "h_idx", "t_idx", "r"):
        entry = {k: v for k, v in RESULT[1].items() if k != key}
        yield _of_bytes(f"result without {key}", ".json", bytes_of([RESULT[0], entry]), [key])
    for value in (None, 3, "x", [], [3]):
        yield _of_bytes(f"entry {value!r}", ".json", bytes_of([RESULT[0], value]), ["[1]"])
    for data in (
        b"",
        b"3",
        b"null",
        b'"a"',
        b"{",
        b"[",
        b"[[]]",
        b"\xff\xfe",
        b"PK\x03\x04",
        b"{}",
    ):
        yield _of_bytes(f"file {data!r}", ".json", data)
    yield _of_bytes("an object of entries", ".json", bytes_of({"a": RESULT[0]}))
    yield _of_bytes("zip of nothing", ".zip", _zip())
    yield _of_bytes("zip of two", ".zip", _zip(bytes_of(RESULT), bytes_of(RESULT)))
    yield _of_bytes("torn zip", ".zip", _zip(bytes_of(RESULT))[:-30])
    yield _of_bytes("zip of broken JSON", ".zip", _zip(b"[{]"))
    for key, value in (
        ("head", "0"),
        ("tail", 1.5),
        ("relation", None),
        ("evidence", 3),
        ("evidence", [None]),
        ("score", "x"),
        ("margin", "x"),
    ):
        lines = [LINES[0], changed(LINES[1], f"triples.0.{key}", value)]
        name = f"line {key} = {value!r}"
        yield _of_bytes(name, ".jsonl", bytes_of(lines, True), ["'good 2'", f"triples[0].{key}"])
    for value in (None, 3, {}, [3], ["a"]):
        lines = [LINES[0], {**LINES[1], "triples": value}]
        yield _of_bytes(f"triples {value!r}", ".jsonl", bytes_of(lines, True), ["'good 2'"])
    for value in (None, 3, []):
        lines = [LINES[0], {**LINES[1], "id": value}]
        yield _of_bytes(f"line of id {value!r}", ".jsonl", bytes_of(lines, True), ["#1"])
    for line in (b"null", b"3", b"{", b"[]", b"\xff"):
        yield _of_bytes(f"line {line!r}", ".jsonl", bytes_of(LINES, True) + line)
    yield _of_bytes("lines of one id", ".jsonl", bytes_of([LINES[0]] * 2, True), ["'good 1'"])
    yield Bad("a folder", ".json", Path.mkdir, ())
    yield Bad("no such file", ".json", lambda path: None, ())


def odd_predictions() -> Iterator[Bad]:
    """Yield files of predictions that are wrong about the gold: they are scored, not refused."""
    for name, change in {
        "unknown document": {"title": "else"},
        "empty title": {"title": ""},
        "head out of range": {"h_idx": 9},
        "negative head": {"h_idx": -1},
        "huge head": {"h_idx": 10**30},
        "self relation": {"t_idx": 1},
        "unknown relation": {"r": "P0"},
        "empty relation": {"r": ""},
        "evidence out of range": {"evidence": [0, 99, -1, 10**30]},
        "repeated evidence": {"evidence": [0, 0]},
        "no evidence": {"evidence": None},
        "huge score": {"score": 1e308},
        "more keys": {"x": [1]},
        "duplicate": {**RESULT[0]},
    }.items():
        data = bytes_of([*RESULT, {**RESULT[1], **change}])
        yield _of_bytes(name, ".json", data)
    yield _of_bytes("none", ".json", b"[]")
    for name, change in {
        "line of an unknown document": {"id": "else"},
        "line out of range": {
            "triples": [{"head": 9, "tail": -1, "relation": "lives_in", "evidence": [10**30]}]
        },
        "line of an unknown relation": {"triples": [{"head": 0, "tail": 1, "relation": "P0"}]},
    }.items():
        yield _of_bytes(name, ".jsonl", bytes_of([LINES[0], {**LINES[1], **change}], True))


def fine() -> Iterator[Bad]:
    """Yield files that look wrong and are not."""
    whole = json.dumps(SECOND, indent=1)
    yield _of_bytes("byte-order mark", ".json", b"\xef\xbb\xbf" + whole.encode())
    yield _of_bytes("line ends of Windows", ".json", whole.replace("\n", "\r\n").encode())
    lines = bytes_of(SECOND, True).replace(b"\n", b"\r\n\r\n")
    yield _of_bytes("lines with line ends of Windows", ".json", lines)
    yield _of_bytes("array named as lines", ".jsonl", bytes_of(SECOND))
    yield _of_bytes("lines named as text", ".JSON", bytes_of(SECOND, True))
    yield _of_bytes("packed", ".json.gz", gzip.compress(bytes_of(SECOND)))
    overlapping = {**DOCRED, "vertexSet": [*DOCRED["vertexSet"], DOCRED["vertexSet"][0]]}
    yield _of_bytes("entities of one span", ".json", bytes_of([*SECOND, overlapping]))
    nothing = [{"title": "a", "sents": [], "vertexSet": []}, *SECOND]
    yield _of_bytes("a document of nothing", ".json", bytes_of(nothing))


def _zip(*contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, data in enumerate(contents):
            archive.writestr(f"result{number}.json", data)
    return buffer.getvalue()
