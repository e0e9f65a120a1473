"""What is read and written back is what it was."""

import gzip
import json
import zipfile
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docre.data.formats.docred import DocREDJson
from docre.data.formats.official import read_predictions, write_predictions
from docre.data.formats.own import DocreFormat
from docre.data.reading import read_documents
from docre.data.writing import write_documents
from docre.documents import Document, Entity, Mention, Relation, check
from docre.errors import DataError
from docre.scoring import Prediction
from tests.corpora import corpus
from tests.toy import document as toy

# Characters JSON, lines and terminals treat in their own way, and any other; no lone surrogates.
TEXTS = st.text(
    st.one_of(
        st.sampled_from('"\\/\n\r\t\x00\x1f\u2028\u2029\x85 <>&'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=6,
)
NAMES = TEXTS.filter(bool)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**25), 10**25),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
# Keys of no format, so that what is carried along is not taken for something else.
EXTRAS = st.dictionaries(TEXTS.map("x_{}".format), VALUES, min_size=1, max_size=2)


@st.composite
def documents(draw, plain=False):
    """Valid documents with every optional field there or not; plain ones fit into DocRED JSON."""
    extra = st.none() | EXTRAS
    sentences = draw(st.lists(st.lists(NAMES, max_size=5).map(tuple), min_size=1, max_size=4))
    places = [(s, k) for s, words in enumerate(sentences) for k in range(len(words))]
    entities = []
    for _ in range(draw(st.integers(0, 4)) if places else 0):
        mentions = []
        for _ in range(draw(st.integers(1, 3))):
            sentence, start = draw(st.sampled_from(places))
            end = draw(st.integers(start + 1, len(sentences[sentence])))
            kind = draw(NAMES if plain else TEXTS)
            surface = draw(NAMES if plain else TEXTS)
            mentions.append(Mention(sentence, start, end, kind, surface, draw(extra)))
        if plain:
            entities.append(Entity(tuple(mentions), mentions[0].type))
        else:
            entities.append(Entity(tuple(mentions), draw(TEXTS), draw(TEXTS), draw(extra)))
    n = len(entities)
    pairs = [(h, t) for h in range(n) for t in range(n) if h != t]
    candidates = None
    if not plain and draw(st.booleans()):
        candidates = tuple(sorted(draw(st.sets(st.sampled_from(pairs)) if pairs else st.just(()))))
    relations = None
    if draw(st.booleans()):
        allowed = list(pairs if candidates is None else candidates)
        triples = st.tuples(st.sampled_from(allowed or [None]), NAMES)
        found = draw(st.lists(triples, unique=True, max_size=4)) if allowed else []
        evidence = st.none() | st.lists(st.integers(0, len(sentences) - 1), max_size=3).map(tuple)
        score = st.none() | st.floats(allow_nan=False, allow_infinity=False)
        relations = tuple(
            Relation(h, t, name, draw(evidence), None if plain else draw(score), draw(extra))
            for (h, t), name in found
        )
    text = offsets = None
    if not plain and draw(st.booleans()):
        text, spans = "", []
        for words in sentences:
            row = []
            for word in words:
                row.append((len(text), len(text) + len(word)))
                text += word + " "
            spans.append(tuple(row))
        offsets = tuple(spans) if draw(st.booleans()) else None
    return Document(
        draw(NAMES),
        tuple(sentences),
        tuple(entities),
        relations,
        text,
        offsets,
        candidates,
        draw(extra) or {},
    )


def through(path, docs, format=None):
    write_documents(path, docs, format)
    return read_documents(path)


def unique(docs):
    return [replace(document, id=f"{k} {document.id}") for k, document in enumerate(docs)]


SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(st.lists(documents(), min_size=1, max_size=3).map(unique), st.sampled_from(["", ".gz"]))
def test_own_json_keeps_everything(tmp_path, docs, packed):
    assert [problem for d in docs for problem in check(d)] == []
    # the same in both forms, as objects and as bytes
    for name in ("own.json", "own.jsonl"):
        file = tmp_path / f"{name}{packed}"
        assert through(file, docs) == docs
        before = file.read_bytes()
        write_documents(file, read_documents(file))
        assert file.read_bytes() == before


@SETTINGS
@given(st.lists(documents(plain=True), min_size=1, max_size=3).map(unique))
def test_docred_json_keeps_everything_it_has_a_place_for(tmp_path, docs):
    file = tmp_path / "docred.json"
    assert through(file, docs, "docred") == docs
    raw = json.loads(file.read_bytes())
    write_documents(file, read_documents(file), "docred")
    assert json.loads(file.read_bytes()) == raw


FULL = {
    "title": 'Ünï "quoted" \u2028',
    "sents": [["Mia", "Tarn", "lives", "in", "Arle", "."], [], ["She", "likes", "it", "."]],
    "vertexSet": [
        [
            {"name": "Mia Tarn", "sent_id": 0, "pos": [0, 2], "type": "PER", "global_pos": [0, 2]},
            {"name": "she", "sent_id": 2, "pos": [0, 1], "type": "MISC", "index": "0_1"},
        ],
        [{"name": "Arle (town)", "sent_id": 0, "pos": [4, 5], "type": "LOC"}],
    ],
    "labels": [
        {"h": 0, "t": 1, "r": "P1", "evidence": [0, 2]},
        {"h": 0, "t": 1, "r": "P2", "evidence": []},
        {"h": 1, "t": 0, "r": "P1"},
        {"h": 1, "t": 0, "r": "P3", "evidence": [2, 0, 2], "in_annotated_train": True},
    ],
    "na_triple": [[0, 1]],
    "source": {"url": None, "rank": 1.5},
}


@pytest.mark.parametrize(
    "raw",
    [
        FULL,
        {k: v for k, v in FULL.items() if k != "labels"},
        {**FULL, "labels": []},
        {**FULL, "vertexSet": [], "labels": []},
        {**FULL, "sents": [], "vertexSet": [], "labels": []},
    ],
)
def test_docred_by_hand(tmp_path, raw):
    file = tmp_path / "a.json"
    file.write_text(json.dumps([raw]))
    documents = read_documents(file)
    write_documents(file, documents, "docred")
    assert json.loads(file.read_bytes()) == [raw]
    # nothing is lost on the way through docre's own form
    assert through(tmp_path / "b.jsonl", documents) == documents


def test_unlabelled_empty_and_evidence_survive(tmp_path):
    base = Document.from_words("a", [["x", "y"]], [[(0, 0, 1)], [(0, 1, 2)]])
    docs = [
        base,
        replace(base, id="b", relations=()),
        replace(base, id="c", relations=(Relation(0, 1, "r"), Relation(1, 0, "r", ()))),
        replace(base, id="d", relations=(Relation(0, 1, "r", (0,)),)),
    ]
    for name, format in [("a.json", "docre"), ("a.jsonl", None), ("d.json", "docred")]:
        back = through(tmp_path / name, docs, format)
        assert [d.relations for d in back] == [d.relations for d in docs]


def test_docred_names_and_types_of_documents_from_elsewhere():
    (raw,) = json.loads(
        b"".join(DocREDJson().render([Document.from_text("t", "Mia  Tarn", [[(0, 9)]])]))
    )
    assert raw["vertexSet"][0][0] == {"name": "Mia  Tarn", "sent_id": 0, "pos": [0, 2], "type": ""}
    entity = Entity((Mention(0, 0, 1),), type="PER")
    (raw,) = json.loads(b"".join(DocREDJson().render([Document("t", (("Mia",),), (entity,))])))
    assert raw["vertexSet"][0][0] == {"name": "Mia", "sent_id": 0, "pos": [0, 1], "type": "PER"}


def test_what_is_carried_along_does_not_win_over_what_is_there():
    document = Document("t", (("a",),), relations=(), extra={"labels": [1], "title": "no", "x": 1})
    (raw,) = json.loads(b"".join(DocREDJson().render([document])))
    assert raw == {"title": "t", "vertexSet": [], "sents": [["a"]], "labels": [], "x": 1}


@pytest.mark.parametrize(
    "name",
    ["redocred/dev_revised.json", "docred/train_annotated_446.json", "docred/unlabelled_999.json"],
)
def test_real_corpora(tmp_path, name):
    source = corpus(name)
    documents = read_documents(source)
    target = tmp_path / "back.json"
    write_documents(target, documents, "docred")
    # as the reader of the standard library has it, which keeps numbers and the order of lists
    assert json.loads(target.read_bytes()) == json.loads(source.read_bytes())
    assert through(tmp_path / "own.jsonl.gz", documents) == documents


def test_files_are_the_same_every_time_and_nothing_else_is_left(tmp_path):
    docs = [toy(seed) for seed in range(5)]
    for name in ("a.json", "a.jsonl", "a.json.gz", "a.jsonl.gz"):
        assert write_documents(tmp_path / name, docs) == 5
        first = (tmp_path / name).read_bytes()
        write_documents(tmp_path / name, docs)
        assert (tmp_path / name).read_bytes() == first
    unpacked = gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())
    assert unpacked == (tmp_path / "a.jsonl").read_bytes()
    assert unpacked.count(b"\n") == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz",
    ]  # fmt: skip


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.jsonl.gz"
    write_documents(file, [toy(1)])
    before = file.read_bytes()

    def breaking():
        yield toy(2)
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_documents(file, breaking())
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl.gz"]


def test_empty_files(tmp_path):
    for format in (DocreFormat(), DocREDJson()):
        assert b"".join(format.render([])) == b"[]\n"
    assert b"".join(DocreFormat(lines=True).render([])) == b""


PREDICTIONS = [
    Prediction("a", 0, 1, "P17"),
    Prediction("ä \u2028", 3, 0, "P1", (2, 0), 0.25),
    Prediction("a", 0, 1, "P17", (), -1e-9),
]


@pytest.mark.parametrize("name", ["result.json", "result.json.gz", "submission.zip"])
@pytest.mark.parametrize("predictions", [PREDICTIONS, []])
def test_predictions(tmp_path, name, predictions):
    file = tmp_path / name
    assert write_predictions(file, predictions) == len(predictions)
    assert read_predictions(file) == predictions
    before = file.read_bytes()
    write_predictions(file, read_predictions(file))
    assert file.read_bytes() == before


def test_submission_is_what_the_competition_takes(tmp_path):
    write_predictions(tmp_path / "s.zip", PREDICTIONS[:1])
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert archive.namelist() == ["result.json"]
        entries = json.loads(archive.read("result.json"))
    assert entries == [{"title": "a", "h_idx": 0, "t_idx": 1, "r": "P17", "evidence": []}]


@SETTINGS
@given(
    st.lists(
        st.builds(
            Prediction,
            TEXTS,
            st.integers(),
            st.integers(),
            TEXTS,
            st.lists(st.integers()).map(tuple),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=4,
    ),
    st.sampled_from(["r.json", "s.zip"]),
)
def test_any_predictions(tmp_path, predictions, name):
    write_predictions(tmp_path / name, predictions)
    assert read_predictions(tmp_path / name) == predictions


def test_predictions_of_documents(tmp_path):
    docs = [toy(seed) for seed in range(8)]
    write_documents(tmp_path / "a.jsonl", docs)
    assert read_predictions(tmp_path / "a.jsonl") == [
        Prediction(d.id, r.head, r.tail, r.relation, r.evidence or ())
        for d in docs
        for r in d.relations
    ]


ENTRY = {"title": "a", "h_idx": 0, "t_idx": 1, "r": "P17", "evidence": [0]}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([ENTRY, {**ENTRY, "title": 3}], ("wrong-type", "[1].title")),
        ([ENTRY, 3], ("wrong-type", "[1]")),
        ([{k: v for k, v in ENTRY.items() if k != "h_idx"}], ("missing-key", "[0].h_idx")),
        ([{**ENTRY, "t_idx": "1"}], ("wrong-type", "[0].t_idx")),
        ([{**ENTRY, "evidence": [None]}], ("wrong-type", "[0].evidence[0]")),
        ([{**ENTRY, "score": True}], ("wrong-type", "[0].score")),
        ([{**ENTRY, "score": 10**310}], ("wrong-type", "[0].score")),
        (ENTRY, ("wrong-type", "the file")),
    ],
)
def test_entries_that_are_no_predictions(tmp_path, entries, expected):
    file = tmp_path / "result.json"
    file.write_text(json.dumps(entries))
    with pytest.raises(DataError) as caught:
        read_predictions(file)
    assert [(p.code, p.field, p.source) for p in caught.value.problems] == [(*expected, str(file))]


def test_zips_that_are_no_submissions(tmp_path):
    file = tmp_path / "s.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match="expected one JSON file in the zip, found 0"):
        read_predictions(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.json", "[]")
        archive.writestr("b.json", "[]")
    with pytest.raises(DataError, match="found 2"):
        read_predictions(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("sub/result.json", msgspec.json.encode([ENTRY]))
        archive.writestr("__MACOSX/sub/._result.json", b"\0\0")
    assert len(read_predictions(file)) == 1
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match="the zip cannot be read"):
        read_predictions(file)
