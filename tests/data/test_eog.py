import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.formats.eog import EogFormat
from docre.data.reading import read_documents
from docre.documents import Document, Entity, Mention, check
from docre.errors import DataError
from tests.corpora import corpus, golden

FORMAT = EogFormat()
TEXT = "Zorbin gave mice itch .|No rash came of zorbin or of old plumox ."
ZORBIN = ["C1", "Zorbin|zorbin", "Chemical", "0:9", "1:10", "0:1"]
PLUMOX = ["C2", "plumox", "Chemical", "13", "14", "1"]
ITCH = ["D1", "itch", "Disease", "3", "4", "0"]
RASH = ["D2", "rash", "Disease", "6", "7", "1"]
GROUPS = [
    ["not_include", "L2R", "CROSS", "13-14", "3-4", *PLUMOX, *ITCH],
    ["1:CID:2", "R2L", "NON-CROSS", "0-1", "3-4", *ZORBIN, *ITCH],
    ["1:NR:2", "L2R", "NON-CROSS", "9-10", "6-7", *ZORBIN, *RASH],
]


def line(groups=GROUPS, text=TEXT, id="77"):
    return "\t".join([id, text, *(column for group in groups for column in group)]).encode()


def parse(record):
    return FORMAT.parse(record, 3)


def read(data):
    return [FORMAT.parse(record, i)[0] for i, record in enumerate(FORMAT.split(data))]


def meaning(document):
    """What a document says, whatever the numbers of its entities are."""
    ids = [entity.id for entity in document.entities]
    return (
        document.id,
        document.sentences,
        {(entity.id, entity.type, entity.mentions) for entity in document.entities},
        {(ids[h], ids[t]) for h, t in document.candidates},
        {(ids[r.head], ids[r.tail], r.relation) for r in document.relations},
    )


def test_a_line_becomes_a_document():
    document, notes = parse(line())
    assert notes == []
    assert check(document) == []
    assert [entity.id for entity in document.entities] == ["D1", "C1", "D2", "C2"]
    assert document.entities[1].mentions == (
        Mention(0, 0, 1, "Chemical", "Zorbin"),
        Mention(1, 4, 5, "Chemical", "zorbin"),
    )
    assert document.candidates == ((0, 1), (1, 2))
    assert [(r.head, r.tail, r.relation) for r in document.relations] == [(0, 1, "CID")]


def test_a_file_is_written_back_as_it_was():
    data = line() + b"\n" + line([], id="78") + b"\n"
    assert b"".join(FORMAT.render(read(data))) == data


def test_further_mentions_of_an_id_are_kept_but_in_no_pair():
    more = ["C1", "zorbin", "Chemical", "9", "10", "1"]
    groups = [*GROUPS, ["1:CID:2", "L2R", "NON-CROSS", "9-10", "6-7", *more, *RASH]]
    document, _ = parse(line(groups))
    assert [entity.id for entity in document.entities] == ["D1", "C1", "D2", "C2", "C1"]
    assert document.candidates == ((0, 1), (1, 2))
    assert (1, 2, "CID") in [(r.head, r.tail, r.relation) for r in document.relations]
    assert b"".join(FORMAT.render([document])) == line(groups) + b"\n"


def test_a_repeated_relation_is_a_note():
    document, notes = parse(line([*GROUPS, GROUPS[1]]))
    assert [note.code for note in notes] == ["duplicate-relation"]
    assert notes[0].severity == "note"
    assert notes[0].field == "groups[3]"
    assert len(document.relations) == 1


def test_changed_documents_are_written_anew():
    document, _ = parse(line())
    changed = replace(document, relations=())
    again = read(b"".join(FORMAT.render([changed])))[0]
    assert meaning(again) == meaning(changed)


def test_documents_from_elsewhere_read_back_equal():
    document = Document.from_words(
        "new",
        [["Ann", "met", "Bo", "."], ["Bo", "met", "Cy", "."]],
        [
            Entity((Mention(0, 0, 1, "PER", "Ann"),), "PER", "a"),
            Entity((Mention(0, 2, 3, "PER", "Bo"), Mention(1, 0, 1, "PER", "Bo")), "PER", "b"),
            Entity((Mention(1, 2, 3, "PER", "Cy"),), "PER", "c"),
        ],
        [(0, 1, "met:twice"), (0, 1, "knows"), (1, 0, "knows")],
    )
    document = replace(document, candidates=((0, 1), (1, 0)))
    again = read(b"".join(FORMAT.render([document])))[0]
    assert meaning(again) == meaning(document)
    assert read(b"".join(FORMAT.render([again]))) == [again]


def test_pairs_are_all_pairs_without_candidates():
    document = Document.from_words("new", [["a", "b"]], [[(0, 0, 1)], [(0, 1, 2)]])
    again = read(b"".join(FORMAT.render([document])))[0]
    assert again.candidates == ((0, 1), (1, 0))
    assert [entity.id for entity in again.entities] == ["E0", "E1"]


@pytest.mark.parametrize("word", ["a\tb", "a|b", "a b", "a\nb"])
def test_words_with_a_separator_cannot_be_written(word):
    document = Document.from_words("new", [["x", word]], [[(0, 0, 1)]])
    with pytest.raises(DataError) as caught:
        list(FORMAT.render([document]))
    assert caught.value.problems[0].code == "cannot-write"
    assert caught.value.problems[0].document == "new"


@pytest.mark.parametrize(
    ("record", "code", "field"),
    [
        (b"77", "wrong-columns", "groups[0]"),
        (line()[:-40], "wrong-columns", "groups[2]"),
        (line([["2:CID:1", *GROUPS[1][1:]]]), "wrong-label", "groups[0][0]"),
        (line([["1:CID:2", "UP", *GROUPS[1][2:]]]), "wrong-label", "groups[0][1]"),
        (line([[*GROUPS[1][:8], "0:x", *GROUPS[1][9:]]]), "wrong-type", "groups[0][5:11]"),
        (line([[*GROUPS[1][:8], "0", *GROUPS[1][9:]]]), "wrong-columns", "groups[0][5:11]"),
        (b"77\tab\xff", "not-utf8", ""),
    ],
)
def test_broken_lines_are_named(record, code, field):
    with pytest.raises(DataError) as caught:
        parse(record)
    problem = caught.value.problems[0]
    assert (problem.code, problem.field) == (code, field)
    assert problem.document in ("77", "#3")


def test_spans_outside_their_sentence_are_found_by_check():
    crossing = ["D1", "itch .|No", "Disease", "3", "6", "0"]
    outside = ["C9", "?", "Chemical", "99", "100", "1"]
    crossing[1] = "itch . No"
    document, notes = parse(line([["1:NR:2", "L2R", "CROSS", "", "", *outside, *crossing]]))
    assert [problem.code for problem in check(document)] == ["span-out-of-range"] * 2
    assert [note.code for note in notes] == ["sentence-mismatch"]


def test_an_empty_file_is_an_error():
    with pytest.raises(DataError, match="empty"):
        list(FORMAT.split(b" \n\n"))


@pytest.mark.parametrize(
    ("path", "documents", "relations", "candidates"),
    [
        ("cdr/train_filter.data", 500, 1038, 5240),
        ("cdr/dev_filter.data", 500, 1012, 5087),
        ("gda/sample_300.data", 300, 425, 1432),
    ],
)
def test_real_files_come_back_byte_for_byte(path, documents, relations, candidates):
    file = corpus(path)
    read_ = read_documents(file)
    assert len(read_) == documents
    assert sum(len(document.relations) for document in read_) == relations
    assert sum(len(document.candidates) for document in read_) == candidates
    assert b"".join(FORMAT.render(read_)) == file.read_bytes()
    bare = [replace(document, extra={}) for document in read_]
    again = read(b"".join(FORMAT.render(bare)))
    assert list(map(meaning, again)) == list(map(meaning, read_))


@pytest.mark.parametrize(("name", "relation"), [("cdr", "CID"), ("gda", "GDA")])
def test_pairs_and_labels_of_the_published_preprocessing(name, relation):
    lines = json.loads(golden(f"features/inputs_{name}.json").read_text())
    features = json.loads(golden(f"features/{name}.json").read_text())
    for document in read("\n".join(lines).encode()):
        want = features[document.id]
        assert set(document.candidates) == set(map(tuple, want["hts"]))
        ours = {(r.head, r.tail, r.relation) for r in document.relations}
        assert ours == {(*want["hts"][pair], relation) for pair, _ in want["labels"]}
        paired = document.entities[: len(want["entity_pos"])]
        assert [len(e.mentions) for e in paired] == [len(p) for p in want["entity_pos"]]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_files_raise_nothing_but_data_errors(data):
    raw = bytearray(line() + b"\n" + line(id="78") + b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        end = data.draw(st.integers(at, min(len(raw), at + 6)))
        raw[at:end] = data.draw(
            st.sampled_from([b"", b"\t", b"|", b" ", b":", b"9", b"\n", b"\xff", b"C1"])
        )
        raw = raw or bytearray(b"\t")
    try:
        records = list(FORMAT.split(bytes(raw)))
    except DataError:
        return
    for index, record in enumerate(records):
        try:
            document, _ = FORMAT.parse(record, index)
        except DataError:
            continue
        if not check(document):
            assert meaning(read(b"".join(FORMAT.render([document])))[0]) == meaning(document)
