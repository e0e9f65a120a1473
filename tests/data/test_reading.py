"""What can be wrong in a file, and what is said and done about it."""

import gzip
import json
import logging
from copy import deepcopy

import msgspec
import pytest

from docre.data.formats.registry import FORMATS, detect_format, format_named
from docre.data.reading import DocumentReader, ReadReport, read_documents
from docre.data.writing import write_documents
from docre.documents import Document, check
from docre.errors import DataError

DOCRED = {
    "title": "Arle",
    "sents": [["Mia", "Tarn", "lives", "in", "Arle", "."], ["She", "likes", "it", "."]],
    "vertexSet": [
        [
            {"name": "Mia Tarn", "sent_id": 0, "pos": [0, 2], "type": "PER"},
            {"name": "She", "sent_id": 1, "pos": [0, 1], "type": "PER"},
        ],
        [{"name": "Arle", "sent_id": 0, "pos": [4, 5], "type": "LOC"}],
    ],
    "labels": [{"h": 0, "t": 1, "r": "lives_in", "evidence": [0]}],
}
OWN = {
    "id": "Arle",
    "sentences": DOCRED["sents"],
    "entities": [
        {
            "mentions": [
                {"sentence": 0, "start": 0, "end": 2, "type": "PER"},
                {"sentence": 1, "start": 0, "end": 1, "type": "PER"},
            ],
            "type": "PER",
        },
        {"mentions": [{"sentence": 0, "start": 4, "end": 5, "type": "LOC"}], "type": "LOC"},
    ],
    "relations": [{"head": 0, "tail": 1, "relation": "lives_in", "evidence": [0]}],
}
TEXT = {
    "id": "Arle",
    "text": "Mia Tarn lives in Arle. She likes it.",
    "entities": [
        {"mentions": [{"start": 0, "end": 8}, {"start": 24, "end": 27}], "type": "PER"},
        {"mentions": [{"start": 18, "end": 22}], "type": "LOC"},
    ],
    "relations": [{"head": 0, "tail": 1, "relation": "lives_in", "evidence": [0]}],
}
KNOWN = {"relations": {"lives_in"}, "types": {"PER", "LOC"}}
GONE = object()


def changed(document, path, value):
    """Return the document with the value at a path such as "labels.0.h" replaced or deleted."""
    made = deepcopy(document)
    place = made
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        place = place[key]
    if value is GONE:
        del place[last]
    elif last == "+":
        place.append(value)
    else:
        place[last] = value
    return made


def write(path, documents, lines=False):
    if lines:
        path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    else:
        path.write_text(json.dumps(documents))
    return path


LABEL = {"h": 0, "t": 1, "r": "lives_in", "evidence": [0]}
OWN_LABEL = {"head": 0, "tail": 1, "relation": "lives_in"}
# what is changed, to what, and the problems with their fields; then whether fix can mend it
DOCRED_CASES = [
    ("vertexSet.0.1.pos", [0, 9], [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("vertexSet.0.1.pos", [2, 2], [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("vertexSet.0.1.pos", [-1, 2], [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("vertexSet.0.1.pos", [0, 10**30], [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("vertexSet.0.1.sent_id", 2, [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("vertexSet.0.1.sent_id", -1, [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("vertexSet.+", [], [("empty-entity", "entities[2].mentions")], True),
    ("vertexSet.1.0.type", "X", [("unknown-type", "entities[1].type"),
                                 ("unknown-type", "entities[1].mentions[0].type")], True),
    ("labels.0.r", "P0", [("unknown-relation", "relations[0].relation")], True),
    ("labels.0.t", 0, [("self-relation", "relations[0].head")], True),
    ("labels.0.t", 2, [("entity-out-of-range", "relations[0].tail")], True),
    ("labels.0.h", -1, [("entity-out-of-range", "relations[0].head")], True),
    ("labels.0.h", 10**30, [("entity-out-of-range", "relations[0].head")], True),
    ("labels.+", LABEL, [("duplicate-relation", "relations[1]")], True),
    ("labels.0.evidence", [0, 2], [("evidence-out-of-range", "relations[0].evidence")], True),
    ("labels.0.evidence", [-1], [("evidence-out-of-range", "relations[0].evidence")], True),
    ("title", "", [("empty-id", "id")], False),
    ("title", GONE, [("missing-key", "title")], False),
    ("title", 7, [("wrong-type", "title")], False),
    ("sents", GONE, [("missing-key", "sents")], False),
    ("sents", "a b", [("wrong-type", "sents")], False),
    ("sents.0", "a b", [("wrong-type", "sents[0]")], False),
    ("sents.0.3", None, [("wrong-type", "sents[0][3]")], False),
    ("vertexSet", GONE, [("missing-key", "vertexSet")], False),
    ("vertexSet.1", {}, [("wrong-type", "vertexSet[1]")], False),
    ("vertexSet.0.1", 3, [("wrong-type", "vertexSet[0][1]")], False),
    ("vertexSet.0.1.pos", GONE, [("missing-key", "vertexSet[0][1].pos")], False),
    ("vertexSet.0.1.pos", "0-1", [("wrong-type", "vertexSet[0][1].pos")], False),
    ("vertexSet.0.1.pos", [0], [("wrong-type", "vertexSet[0][1].pos")], False),
    ("vertexSet.0.1.pos", [0, 1.0], [("wrong-type", "vertexSet[0][1].pos[1]")], False),
    ("vertexSet.0.1.sent_id", True, [("wrong-type", "vertexSet[0][1].sent_id")], False),
    ("vertexSet.0.1.name", 5, [("wrong-type", "vertexSet[0][1].name")], False),
    ("vertexSet.0.1.type", [], [("wrong-type", "vertexSet[0][1].type")], False),
    ("labels", {}, [("wrong-type", "labels")], False),
    ("labels.0", None, [("wrong-type", "labels[0]")], False),
    ("labels.0.h", GONE, [("missing-key", "labels[0].h")], False),
    ("labels.0.t", "1", [("wrong-type", "labels[0].t")], False),
    ("labels.0.r", 3, [("wrong-type", "labels[0].r")], False),
    ("labels.0.evidence", 0, [("wrong-type", "labels[0].evidence")], False),
    ("labels.0.evidence", [0, "1"], [("wrong-type", "labels[0].evidence[1]")], False),
]  # fmt: skip
OWN_CASES = [
    ("entities.0.mentions.1.end", 9, [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("entities.0.mentions.1.sentence", 2,
     [("span-out-of-range", "entities[0].mentions[1]")], True),
    ("entities.+", {"mentions": [], "type": "PER"}, [("empty-entity", "entities[2].mentions")],
     True),
    ("entities.1.type", "X", [("unknown-type", "entities[1].type")], True),
    ("relations.0.relation", "P0", [("unknown-relation", "relations[0].relation")], True),
    ("relations.0.tail", 0, [("self-relation", "relations[0].head")], True),
    ("relations.0.tail", 2, [("entity-out-of-range", "relations[0].tail")], True),
    ("relations.+", OWN_LABEL, [("duplicate-relation", "relations[1]")], True),
    ("relations.0.evidence", [9], [("evidence-out-of-range", "relations[0].evidence")], True),
    ("candidates", [[1, 0]], [("not-a-candidate", "relations[0]")], True),
    ("candidates", [[0, 1], [0, 9]], [("bad-candidate", "candidates")], True),
    ("relation", [], [("unknown-key", "relation")], True),
    ("entities.0.mentions.1.sent_id", 1,
     [("unknown-key", "entities[0].mentions[1].sent_id")], True),
    ("entities.0.kind", "x", [("unknown-key", "entities[0].kind")], True),
    ("relations.0.r", "x", [("unknown-key", "relations[0].r")], True),
    ("id", "", [("empty-id", "id")], False),
    ("id", GONE, [("missing-key", "id")], False),
    ("id", None, [("wrong-type", "id")], False),
    ("sentences", GONE, [("missing-key", "sentences")], False),
    ("sentences.1", 3, [("wrong-type", "sentences[1]")], False),
    ("sentences.1.0", 3, [("wrong-type", "sentences[1][0]")], False),
    ("entities", 3, [("wrong-type", "entities")], False),
    ("entities.1", [], [("wrong-type", "entities[1]")], False),
    ("entities.1.mentions", GONE, [("missing-key", "entities[1].mentions")], False),
    ("entities.1.mentions.0", [0, 4, 5], [("wrong-type", "entities[1].mentions[0]")], False),
    ("entities.1.mentions.0.end", GONE, [("missing-key", "entities[1].mentions[0].end")], False),
    ("entities.1.mentions.0.end", 1.5, [("wrong-type", "entities[1].mentions[0].end")], False),
    ("entities.1.mentions.0.extra", 1, [("wrong-type", "entities[1].mentions[0].extra")], False),
    ("relations.0", 1, [("wrong-type", "relations[0]")], False),
    ("relations.0.head", GONE, [("missing-key", "relations[0].head")], False),
    ("relations.0.evidence", ["0"], [("wrong-type", "relations[0].evidence[0]")], False),
    ("relations.0.score", "high", [("wrong-type", "relations[0].score")], False),
    ("relations.0.score", 10**310, [("wrong-type", "relations[0].score")], False),
    ("candidates", [[0]], [("wrong-type", "candidates[0]")], False),
    ("extra", [], [("wrong-type", "extra")], False),
    ("text", 3, [("wrong-type", "text")], False),
    ("offsets", [[[0, 3]]], [("missing-key", "text")], False),
]  # fmt: skip
TEXT_CASES = [
    ("entities.0.mentions.1.end", 99, [("span-out-of-range", "entities[0].mentions[1]")], False),
    ("entities.0.mentions.1", {"start": 8, "end": 9},
     [("empty-mention", "entities[0].mentions[1]")], False),
    ("entities.0.mentions.1.start", GONE, [("missing-key", "entities[0].mentions[1].start")],
     False),
    ("entities.0.mentions.1", 1, [("wrong-type", "entities[0].mentions[1]")], False),
    ("entities.0", 1, [("wrong-type", "entities[0]")], False),
    ("extra", 1, [("wrong-type", "extra")], False),
    ("relations.0.tail", 5, [("entity-out-of-range", "relations[0].tail")], True),
    ("entities.0.mentions.1.sentence", 1,
     [("unknown-key", "entities[0].mentions[1].sentence")], True),
]  # fmt: skip
CASES = [
    pytest.param(base, *case, lines, id=f"{name}-{case[0]}-{case[2][0][0]}-{k}")
    for name, base, cases, lines in [
        ("docred", DOCRED, DOCRED_CASES, False),
        ("docred-lines", DOCRED, DOCRED_CASES, True),
        ("own", OWN, OWN_CASES, False),
        ("own-lines", OWN, OWN_CASES, True),
        ("text", TEXT, TEXT_CASES, False),
    ]
    for k, case in enumerate(cases)
]


@pytest.mark.parametrize(("base", "path", "value", "expected", "mends", "lines"), CASES)
def test_catalogue(tmp_path, caplog, base, path, value, expected, mends, lines):
    key = "title" if base is DOCRED else "id"
    good = [{**base, key: "good 1"}, {**base, key: "good 2"}]
    bad = changed(base, path, value)
    file = write(tmp_path / "file.json", [good[0], bad, good[1]], lines)
    name = "#1" if path == key else "Arle"
    known = {**KNOWN, "types": None} if path == "entities.0.mentions.1" else KNOWN

    # fail: everything, with its place
    with pytest.raises(DataError) as caught:
        read_documents(file, **known)
    assert [(p.code, p.field) for p in caught.value.problems] == expected
    for problem in caught.value.problems:
        assert (problem.document, problem.source, problem.action) == (name, str(file), "")
        text = str(caught.value)
        assert str(file) in text
        assert repr(name) in text
        assert problem.field in text
        assert problem.message in text
    assert "on_error" in str(caught.value)

    # skip: the others are there, and the report says what is not
    report = ReadReport()
    with caplog.at_level(logging.WARNING):
        left = read_documents(file, **known, on_error="skip", report=report)
    assert [document.id for document in left] == ["good 1", "good 2"]
    assert (report.documents, report.kept, report.fixed, report.skipped) == (3, 2, 0, 1)
    assert [(p.code, p.field, p.action) for p in report.problems] == [
        (*problem, "skipped") for problem in expected
    ]
    assert "2 of 3 documents kept, 0 fixed, 1 skipped" in caplog.text

    # fix: mended if it can be
    report = ReadReport()
    left = read_documents(file, **known, on_error="fix", report=report)
    done = "fixed" if mends else "skipped"
    assert [p.action for p in report.problems] == [done] * len(expected)
    assert (report.kept, report.fixed, report.skipped) == ((3, 1, 0) if mends else (2, 0, 1))
    assert len(left) == report.kept
    assert all(check(document) == [] for document in left)


def test_report_is_written_whole(tmp_path):
    file = write(tmp_path / "a.json", [DOCRED, changed(DOCRED, "labels.0.t", 7)])
    report = ReadReport()
    read_documents(file, on_error="fix", report=report)
    target = tmp_path / "new" / "report.json"
    report.write(target)
    assert json.loads(target.read_text()) == {
        "source": str(file),
        "documents": 2,
        "kept": 2,
        "fixed": 1,
        "skipped": 0,
        "counts": {"entity-out-of-range": 1, "duplicate-title": 1},
        "problems": [
            {
                "code": "entity-out-of-range",
                "message": "entity 7 of a document with 2 entities",
                "document": "Arle",
                "field": "relations[0].tail",
                "source": str(file),
                "severity": "error",
                "action": "fixed",
            },
            {
                "code": "duplicate-title",
                "message": "another document of the file has the same title",
                "document": "Arle",
                "field": "id",
                "source": str(file),
                "severity": "error",
                "action": "fixed",
            },
        ],
    }
    assert [path.name for path in target.parent.iterdir()] == ["report.json"]


def test_duplicate_titles(tmp_path):
    file = write(tmp_path / "a.json", [DOCRED, {**DOCRED, "title": "Arle#2"}, DOCRED, DOCRED])
    with pytest.raises(DataError) as caught:
        read_documents(file)
    assert [(p.code, p.document) for p in caught.value.problems] == [
        ("duplicate-title", "Arle")
    ] * 2
    assert [d.id for d in read_documents(file, on_error="skip")] == ["Arle", "Arle#2"]
    kept = read_documents(file, on_error="fix")
    assert [d.id for d in kept] == ["Arle", "Arle#2", "Arle#3", "Arle#4"]


def test_a_dirty_file_is_reported_whole(tmp_path):
    documents = [changed({**DOCRED, "title": f"d{k}"}, "labels.0.t", 9) for k in range(30)]
    documents += [changed({**DOCRED, "title": f"e{k}"}, "sents", GONE) for k in range(5)]
    with pytest.raises(DataError) as caught:
        read_documents(write(tmp_path / "a.json", documents))
    assert len(caught.value.problems) == 35
    lines = str(caught.value).splitlines()
    assert lines[0] == "35 problems (entity-out-of-range: 30, missing-key: 5)"
    assert lines[21].strip() == "... and 15 more"


def test_unknown_keys_are_moved_into_extra_under_fix(tmp_path):
    raw = {**OWN, "source": "web", "extra": {"year": 1999}}
    (document,) = read_documents(write(tmp_path / "a.json", [raw]), on_error="fix")
    assert document.extra == {"source": "web", "year": 1999}


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "empty-file", "the file is empty"),
        (b" \n\r\n\t", "empty-file", "the file is empty"),
        (b"\xef\xbb\xbf", "empty-file", "the file is empty"),
        (b"[]", "empty-file", "no documents"),
        (b"[ ]\n", "empty-file", "no documents"),
        ('[{"title": "Köln"}]'.encode("latin-1"), "not-utf8", "not UTF-8 at byte 13"),
        ('[{"title": "Köln"}]'.encode("utf-16"), "not-utf8", "not UTF-8 at byte 0"),
        (b"7", "unknown-format", "cannot tell the format"),
        (b'"text"', "unknown-format", "cannot tell the format"),
        (b"true", "unknown-format", "cannot tell the format"),
        (b"NaN", "unknown-format", "cannot tell the format"),
        (b"hello world", "unknown-format", "cannot tell the format"),
        (b"\x00\x01\x02", "unknown-format", "cannot tell the format"),
        (b"[1, 2", "truncated-json", "breaks off after document 0"),
        (b"[", "truncated-json", "breaks off after document 0"),
        (b"[" * 100_000, "truncated-json", "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "broken-json", "nested too deeply"),
        (b"[1]", "wrong-type", "expected an object for each document, found 1"),
        (b'["a"]', "wrong-type", "expected an object for each document, found 'a'"),
        (b"[null]", "wrong-type", "expected an object for each document, found null"),
        (b"[[]]", "wrong-type", "expected an object for each document, found a list"),
        (b"{", "truncated-json", "truncated"),
        (b"{}", "missing-key", "the key is missing"),
        (b'[{"title": "a", "sents": []}]', "missing-key", 'entities has "vertexSet": []'),
        (b'{"id": ' + b'{"a":' * 100_000, "broken-json", "nested too deeply"),
        (b'[{"id": "a", "sentences": []}]]', "broken-json", "trailing"),
        (b'[{"id": "a", "sentences": []},]', "broken-json", "trailing comma"),
        (b'[{"id": "a", "sentences": []} {"id": "b"}]', "broken-json", "expected ',' or ']'"),
        (b'[{"id": "a", "sentences": [["\x01"]]}]', "broken-json", "invalid character"),
        (b'[{"id": "a", "sentences": [["\x00"]]}]', "broken-json", "invalid character"),
        (b'[{"id": "\\ud800", "sentences": []}]', "broken-json", "utf-16 surrogate"),
        (b'[{"id": "a", "sentences": [], "extra": {"n": NaN}}]', "broken-json", "invalid"),
        (b'[{"id": "a", "sentences": [], "extra": {"n": -Infinity}}]', "broken-json", "invalid"),
        (b'[{"id": "a", "sentences": [], "extra": {"n": 1e400}}]', "broken-json", "out of range"),
        (b'{"id": "a", "sentences": [], "sentences": [["b"]]}', "duplicate-key", "given 2 times"),
        (b'[{"title": "a", "sents": [], "vertexSet": [], "labels": [], "labels": []}]',
         "duplicate-key", "given 2 times"),
        (b'[{"id": "a", "sentences": []}, {"id": "b", "sent', "truncated-json", "after document 1"),
    ],
)  # fmt: skip
def test_files_that_are_broken(tmp_path, data, code, message):
    file = tmp_path / "file.json"
    file.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_documents(file)
    assert code in [problem.code for problem in caught.value.problems]
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    for policy in ("skip", "fix"):
        report = ReadReport()
        try:
            read_documents(file, on_error=policy, report=report)
        except DataError as error:
            problems = error.problems
        else:
            problems = report.problems
        # nothing is dropped without a word
        assert [p for p in problems if p.severity == "error" and p.source == str(file)]


@pytest.mark.parametrize("lines", [False, True])
def test_what_stands_before_the_break_is_kept_on_demand(tmp_path, lines):
    documents = [{**OWN, "id": f"d{k}"} for k in range(4)]
    file = write(tmp_path / "file.json", documents, lines)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DataError) as caught:
        read_documents(file)
    assert [p.code for p in caught.value.problems] == ["truncated-json"]
    report = ReadReport()
    kept = read_documents(file, on_error="skip", report=report)
    assert [d.id for d in kept] == ["d0", "d1", "d2"]
    assert [(p.code, p.action) for p in report.problems] == [("truncated-json", "skipped")]


def test_one_bad_line_among_good_ones(tmp_path):
    lines = [json.dumps({**OWN, "id": f"d{k}"}) for k in range(3)]
    file = tmp_path / "file.jsonl"
    file.write_text("\n".join([lines[0], "", "{oops}", lines[1], "   ", lines[2]]))
    with pytest.raises(DataError) as caught:
        read_documents(file)
    assert [(p.code, p.document) for p in caught.value.problems] == [("broken-json", "#1")]
    assert [d.id for d in read_documents(file, on_error="skip")] == ["d0", "d1", "d2"]


def test_first_line_may_be_the_bad_one(tmp_path):
    file = tmp_path / "file.jsonl"
    file.write_text("{oops}\n" + json.dumps(OWN))
    assert [d.id for d in read_documents(file, on_error="skip")] == ["Arle"]


@pytest.mark.parametrize("base", [DOCRED, OWN, TEXT], ids=["docred", "own", "text"])
@pytest.mark.parametrize(
    "render",
    [
        lambda d: json.dumps([d]).encode(),
        lambda d: json.dumps(d).encode(),
        lambda d: json.dumps(d, indent=2).encode(),
        lambda d: json.dumps([d], indent=2).replace("\n", "\r\n").encode(),
        lambda d: json.dumps(d, indent=2).replace("\n", "\r\n").encode(),
        lambda d: (json.dumps(d) + "\r\n\r\n").encode(),
        lambda d: b"\xef\xbb\xbf" + json.dumps([d]).encode(),
        lambda d: b"\n\n  " + json.dumps([d], indent="\t").encode() + b"\n\n",
    ],
)
def test_ways_to_write_the_same(tmp_path, base, render):
    file = tmp_path / "file.json"
    file.write_bytes(render(base))
    (document,) = read_documents(file)
    assert document.id == "Arle"
    assert len(document.entities) == 2
    assert document.sentences == tuple(map(tuple, DOCRED["sents"]))
    packed = tmp_path / "file.json.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert read_documents(packed) == [document]


@pytest.mark.parametrize(
    "char", ["\u2028", "\x85", "\x0b", "\x00", "\x1e", "\r", "\n", "🦊", "\ufeff"]
)
@pytest.mark.parametrize("escape", [False, True])
def test_odd_characters_do_not_cut_lines(tmp_path, char, escape):
    raw = [{**OWN, "id": f"{k}{char}"} for k in range(2)]
    file = tmp_path / "file.jsonl"
    file.write_bytes("\n".join(json.dumps(r, ensure_ascii=escape) for r in raw).encode())
    assert [d.id for d in read_documents(file)] == [f"0{char}", f"1{char}"]


def test_files_that_cannot_be_opened(tmp_path):
    for path, message in [
        (tmp_path / "nothing.json", "no such file"),
        (tmp_path, "this is a folder"),
        (tmp_path / ("x" * 5000), "cannot be read"),
        (tmp_path / "a\0b", "cannot be read"),
    ]:
        with pytest.raises(DataError, match=message) as caught:
            read_documents(path)
        assert [p.code for p in caught.value.problems] == ["no-file"]


@pytest.mark.parametrize("damage", [
    lambda data: data[:-9],
    lambda data: data[:40],
    lambda data: data[:30] + b"\xff" * 9 + data[39:],
    lambda data: data + b"garbage",
    lambda data: b"[]",
    lambda data: data[:-8] + b"\0" * 8,
])  # fmt: skip
def test_broken_gzip(tmp_path, damage):
    file = tmp_path / "file.json.gz"
    file.write_bytes(damage(gzip.compress(json.dumps([DOCRED] * 20).encode())))
    with pytest.raises(DataError, match="cannot be unpacked") as caught:
        read_documents(file)
    assert [p.code for p in caught.value.problems] == ["broken-gzip"]


def test_words_that_look_like_keys(tmp_path):
    """Formats and repeated keys are told by keys, not by the words of a text."""
    words = ["abstract", "docid", "vertexSet", "sents", "sentences", "labels", "title", "relations"]
    own = {**OWN, "sentences": [words * 2, words]}
    docred = {**DOCRED, "sents": [words * 2, words]}
    (first,) = read_documents(write(tmp_path / "own.json", [own]))
    (second,) = read_documents(write(tmp_path / "docred.json", [docred]))
    assert first.sentences == second.sentences == (tuple(words * 2), tuple(words))


@pytest.mark.parametrize("key", ["vertexSet", "sents", "docid", "abstract", "h_idx", "title"])
def test_a_format_is_told_by_the_keys_of_its_documents(tmp_path, key):
    """Not by those inside: an extra of ours may be called anything."""
    bare = Document("d", ((),), (), relations=None, extra={"x": {key: None}})
    for name in ("own.json", "own.jsonl"):
        write_documents(tmp_path / name, [bare])
        assert read_documents(tmp_path / name)[0] == bare


def test_formats_by_name(tmp_path):
    file = write(tmp_path / "a.json", [DOCRED])
    assert detect_format(file, file.read_bytes()) == "docred"
    for name in FORMATS:
        assert format_named(name).name == name
    with pytest.raises(DataError, match="unknown format 'foo'; there are docre, docred"):
        read_documents(file, "foo")


def test_limit_and_settings(tmp_path):
    file = write(tmp_path / "a.json", [{**OWN, "id": str(k)} for k in range(5)])
    assert len(read_documents(file, limit=2)) == 2
    with pytest.raises(DataError, match="limit must be at least 1"):
        read_documents(file, limit=0)
    with pytest.raises(ValueError, match="on_error must be"):
        read_documents(file, on_error="ignore")


def test_streaming_reports_at_the_end(tmp_path):
    file = write(tmp_path / "a.json", [OWN, changed({**OWN, "id": "b"}, "relations.0.tail", 9)])
    stream = iter(DocumentReader(file))
    assert next(stream).id == "Arle"
    with pytest.raises(DataError, match="entity 9"):
        next(stream)


def test_scores_are_finite_numbers(tmp_path):
    file = write(tmp_path / "a.json", [changed(OWN, "relations.0.score", 1)])
    assert read_documents(file)[0].relations[0].score == 1.0
    assert msgspec.json.encode(read_documents(file)[0].relations[0].score) == b"1.0"


def test_our_own_json_is_not_taken_for_another_format(tmp_path):
    """Extras may hold any key of somebody else's format."""
    file = tmp_path / "own.json"
    write_documents(
        file, [Document.from_words("x", [["a"]], extra={"abstract": "b", "docid": "1"})]
    )
    assert read_documents(file)[0].extra == {"abstract": "b", "docid": "1"}
