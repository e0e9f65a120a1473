"""Whatever is in a file, reading gives valid documents or an error of docre's, nothing else."""

import gzip
import io
import json
import zipfile
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docre.data.formats.official import read_predictions
from docre.data.formats.own import encode
from docre.data.formats.registry import detect_format, format_named
from docre.data.reading import ReadReport, read_documents
from docre.documents import Document, Entity, Mention, Relation, check
from docre.errors import DataError
from docre.repair import repair
from tests.corpora import corpus
from tests.data.test_reading import DOCRED, OWN, TEXT
from tests.toy import document as toy

OFFSETS = json.loads(
    encode(Document.from_text("o", "Mia lives. She does.", [[(0, 3)], [(11, 14)]]))
)
RESULT = [
    {"title": "Arle", "h_idx": 0, "t_idx": 1, "r": "lives_in", "evidence": [0]},
    {"title": "Arle", "h_idx": 1, "t_idx": 0, "r": "home_of", "evidence": [], "score": 0.5},
]
SEEDS = {
    "docred": [DOCRED, {**DOCRED, "title": "Bo"}],
    "own": [{**OWN, "candidates": [[0, 1]]}, {**OWN, "id": "Bo", "extra": {"a": 1}}],
    "text": [TEXT, OFFSETS],
}
KNOWN = {"relations": {"lives_in"}}

NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([-(2**63) - 1, 2**64, 10**30, 10**307, 1e308, -0.0, 0.5, True, False]),
)
VALUES = st.recursive(
    st.one_of(st.none(), NUMBERS, st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value):
    """List every (container, key) in a JSON value."""
    found = []
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            found += places(value[key])
    return found


@st.composite
def mutated(draw, seeds):
    """A JSON value with one to four places of it changed."""
    made = deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        found = places(made)
        if not found:
            break
        container, key = found[draw(st.integers(0, len(found) - 1))]
        kind = draw(st.sampled_from(["number", "value", "delete", "repeat", "swap", "rename"]))
        if kind == "delete":
            del container[key]
        elif kind == "repeat" and isinstance(container, list):
            container.insert(key, deepcopy(container[key]))
        elif kind == "swap":
            other, place = found[draw(st.integers(0, len(found) - 1))]
            container[key] = deepcopy(other[place])
        elif kind == "rename" and isinstance(container, dict):
            container[draw(st.text(max_size=5))] = container.pop(key)
        else:
            container[key] = draw(NUMBERS if kind == "number" else VALUES)
    return made


def dump(value, lines=False):
    if lines and isinstance(value, list):
        return "\n".join(json.dumps(item) for item in value).encode()
    return json.dumps(value).encode()


def says_what_is_wrong(error):
    assert error.problems
    assert all(problem.code and problem.message for problem in error.problems)
    assert str(error)


def read_all_ways(file, data, format=None):
    """Read under each policy; what is kept must be valid, what is not must be accounted for."""
    file.write_bytes(data)
    try:
        strict = read_documents(file, format, **KNOWN)
    except DataError as error:
        says_what_is_wrong(error)
        strict = None
    for policy in ("skip", "fix"):
        report = ReadReport()
        try:
            kept = read_documents(file, format, **KNOWN, on_error=policy, report=report)
        except DataError as error:
            says_what_is_wrong(error)
            assert strict is None
            continue
        assert all(check(document, **KNOWN) == [] for document in kept)
        assert len({document.id for document in kept}) == len(kept) == report.kept
        assert report.kept + report.skipped == report.documents
        if strict is None:
            assert report.errors
            assert all(p.action in ("fixed", "skipped") for p in report.errors)
        else:
            assert kept == strict
            assert not report.errors


def quick(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def json_case(tmp_path, name, value, lines):
    format = "docred" if name == "docred" else "docre"
    read_all_ways(tmp_path / "f.json", dump(value, lines), format)
    read_all_ways(tmp_path / "f.json", dump(value, lines))


@quick(700)
@given(st.sampled_from(sorted(SEEDS)), st.booleans(), st.data())
def test_mutated_documents(tmp_path, name, lines, data):
    json_case(tmp_path, name, data.draw(mutated([SEEDS[name]])), lines)


@quick(150)
@given(mutated([RESULT]))
def test_mutated_predictions(tmp_path, value):
    predictions_case(tmp_path / "result.json", dump(value))


def predictions_case(file, data):
    file.write_bytes(data)
    try:
        predictions = read_predictions(file)
    except DataError as error:
        says_what_is_wrong(error)
        return
    for prediction in predictions:
        assert type(prediction.document) is str
        assert type(prediction.head) is type(prediction.tail) is int
        assert all(type(sentence) is int for sentence in prediction.evidence)
        assert prediction.score is None or type(prediction.score) is float


def zipped(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", data)
    return buffer.getvalue()


FILES = [
    *[("f.json", dump(value, lines)) for value in SEEDS.values() for lines in (False, True)],
    ("f.json", json.dumps(SEEDS["docred"], indent=1).encode()),
    ("f.json.gz", gzip.compress(dump(SEEDS["own"]), mtime=0)),
]
RESULT_FILES = [("result.json", dump(RESULT)), ("s.zip", zipped(dump(RESULT)))]


@st.composite
def damaged(draw, files):
    """The bytes of a file with some of them changed, put in, taken out or cut off."""
    name, data = draw(st.sampled_from(files))
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["change", "insert", "delete", "cut", "repeat"]))
        if kind == "change" and at < len(data):
            data[at] = draw(st.one_of(st.integers(0, 255), st.sampled_from(b'{}[],:"\\\n0')))
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif kind == "delete":
            del data[at : at + draw(st.integers(1, 30))]
        elif kind == "cut":
            del data[at:]
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 60))]
    return name, bytes(data)


@quick(500)
@given(damaged(FILES))
def test_damaged_files(tmp_path, file):
    read_all_ways(tmp_path / file[0], file[1])


@quick(150)
@given(damaged(RESULT_FILES))
def test_damaged_predictions(tmp_path, file):
    predictions_case(tmp_path / file[0], file[1])


@quick(100)
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path, data):
    read_all_ways(tmp_path / "f.json", data)
    with suppress(DataError):
        assert format_named(detect_format(tmp_path / "f.json", data))


PROSE = st.lists(
    st.sampled_from(
        ["Mia", "Dr.", "A.", "end.", "What?!", "(So", "it)", '"Yes."', "x-1", "3.5", "é", "東京",
         " ", "  ", "\n", "\r\n", "\t", "\u2028", "\x85", "\u200b", "🦊", ".", "_", "e\u0301"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@quick(300)
@given(st.one_of(PROSE, st.text(max_size=40)), st.data())
def test_raw_text_is_cut_along_the_mentions(text, data):
    ends = st.tuples(st.integers(-1, len(text) + 1), st.integers(-1, len(text) + 1))
    spans = data.draw(st.lists(st.lists(ends.map(sorted).map(tuple), max_size=3), max_size=4))
    try:
        document = Document.from_text("t", text, spans)
    except DataError as error:
        wrong = [
            not (0 <= a < b <= len(text)) or not text[a:b].strip() for m in spans for a, b in m
        ]
        assert any(wrong) or not all(spans)
        says_what_is_wrong(error)
        return
    assert check(document) == []
    flat = [span for sentence in document.offsets for span in sentence]
    # words are in order, apart, not blank, and leave out nothing but blanks
    assert all(document.sentences)
    position = 0
    for start, end in flat:
        assert position <= start < end
        assert text[position:start].strip() == ""
        assert text[start:end].strip() == text[start:end]
        position = end
    assert text[position:].strip() == ""
    assert [text[a:b] for a, b in flat] == [w for words in document.sentences for w in words]
    for entity, mentions in zip(document.entities, spans, strict=True):
        for mention, (start, end) in zip(entity.mentions, mentions, strict=True):
            assert mention.surface == text[start:end]
            blanks = len(text[start:end]) - len(text[start:end].lstrip())
            exact = (start + blanks, start + len(text[start:end].rstrip()))
            assert document.char_span(mention) == exact
            assert document.surface(mention) == text[start:end].strip()
            # no word crosses a border
            assert not any(a < cut < b for a, b in flat for cut in (start, end))


@st.composite
def arbitrary(draw):
    """A document of the right types, and nothing more."""
    small = st.integers(-2, 5)
    name = st.sampled_from(["a", "b", ""])
    mention = st.builds(Mention, small, small, small, name, name)
    entity = st.builds(Entity, st.lists(mention, max_size=3).map(tuple), name)
    score = st.none() | st.floats()
    evidence = st.none() | st.lists(small, max_size=3).map(tuple)
    relation = st.builds(Relation, small, small, name, evidence, score)
    pairs = st.lists(st.tuples(small, small), max_size=5).map(tuple)
    return Document(
        "doc",
        tuple(tuple("w" * n) for n in draw(st.lists(st.integers(0, 3), max_size=3))),
        tuple(draw(st.lists(entity, max_size=4))),
        draw(st.none() | st.lists(relation, max_size=5).map(tuple)),
        candidates=draw(st.none() | pairs),
    )


@quick(300)
@given(arbitrary(), st.booleans())
def test_repair_gives_valid_documents(document, known):
    relations = {"a"} if known else None
    mended, problems = repair(document, relations)
    assert check(mended, relations) == []
    assert bool(problems) == bool(check(document, relations))
    assert (mended == document) == (not problems)
    assert (mended.relations is None) == (document.relations is None)
    assert repair(mended, relations) == (mended, [])


def test_valid_documents_are_left_alone():
    for seed in range(100):
        document = toy(seed)
        assert repair(document) == (document, [])
        assert repair(replace(document, relations=None))[1] == []


def test_long_blanks_and_long_texts_are_fast():
    """Rules that look back and forth over blanks would need hours here."""
    for text in (" " * 300_000 + "a", ". " * 50_000, "a" + "\n " * 100_000, "." + '"' * 200_000):
        Document.from_text("t", text)


@pytest.mark.slow
@settings(quick(4000), max_examples=4000)
@given(st.sampled_from(sorted(SEEDS)), st.booleans(), st.data())
def test_mutated_documents_at_length(tmp_path, name, lines, data):
    json_case(tmp_path, name, data.draw(mutated([SEEDS[name]])), lines)


@pytest.mark.slow
@settings(quick(3000), max_examples=3000)
@given(damaged(FILES))
def test_damaged_files_at_length(tmp_path, file):
    read_all_ways(tmp_path / file[0], file[1])


@pytest.mark.slow
@settings(quick(1500), max_examples=1500)
@given(mutated([RESULT]))
def test_mutated_predictions_at_length(tmp_path, value):
    predictions_case(tmp_path / "result.json", dump(value))
    predictions_case(tmp_path / "s.zip", zipped(dump(value)))


@pytest.mark.slow
@settings(quick(1500), max_examples=1500)
@given(damaged(RESULT_FILES))
def test_damaged_predictions_at_length(tmp_path, file):
    predictions_case(tmp_path / file[0], file[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chemdisgene", "chemdisgene-pubtator", "pubtator", "eog"])
@settings(quick(1000), max_examples=1000)
@given(st.data())
def test_damaged_files_of_other_formats_at_length(tmp_path, name, data):
    source = {
        "chemdisgene": "chemdisgene/sample_300.json",
        "chemdisgene-pubtator": "cdr/CDR_DevelopmentSet.PubTator.txt",
        "pubtator": "cdr/CDR_DevelopmentSet.PubTator.txt",
        "eog": "cdr/dev_filter.data",
    }[name]
    file = data.draw(damaged([("f.txt", first_documents(name, corpus(source)))]))
    read_all_ways(tmp_path / file[0], file[1], name)


@cache
def first_documents(name, path):
    """Return the first two documents of a real file, small enough that damage hits something."""
    data = path.read_bytes()
    if name == "chemdisgene":
        return json.dumps(json.loads(data)[:2]).encode()
    end = b"\n" if name == "eog" else b"\n\n"
    return end.join(data.split(end)[:2]) + end
