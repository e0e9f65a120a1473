import gzip
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.formats.chemdisgene import (
    CHEMDISGENE_RELATIONS,
    ChemDisGeneFormat,
    ChemDisGenePubTatorFormat,
    canonical_relation,
)
from docre.data.reading import ReadReport, read_documents
from docre.documents import Document, check
from docre.errors import DataError
from tests.corpora import corpus, golden

FORMAT = ChemDisGeneFormat()
TITLE = "zorbin raises abc1"
ABSTRACT = "Plumox lowers zyx2 (p &gt; 3) and heals flaking. A toxin did not."


def mention(name, type, id, nth=0):
    text = f"{TITLE} {ABSTRACT}"
    start = -1
    for _ in range(nth + 1):
        start = text.index(name, start + 1)
    return {"start": start, "end": start + len(name), "mention": name, "type": type, "id": id}


RECORD = {
    "docid": "77",
    "title": TITLE,
    "abstract": ABSTRACT,
    "entity": [
        mention("zorbin", "Chemical", "C1"),
        mention("abc1", "Gene", "1|2"),
        mention("Plumox", "Disease", "C2"),
        mention("zyx2", "Gene", "3"),
        mention("flaking", "Disease", "D1"),
        mention("toxin", "Chemical", "-"),
        mention("A", "Chemical", "-"),
        mention("not", "Chemical", "C2"),
    ],
    "relation": [
        {"type": "chem_gene:increases^expression", "subj": "C1", "obj": "1|2"},
        {"type": "chem_gene:affects^transport", "subj": "C1", "obj": "1|2"},
        {"type": "chem_gene:affects^binding", "subj": "C1", "obj": "1"},
        {"type": "chem_gene:affects^binding", "subj": "D1", "obj": "C1"},
        {"type": "chem_gene:increases^expression", "subj": "C1", "obj": "1|2"},
        {"type": "chem_disease:therapeutic", "subj": "C2", "obj": "D1"},
        {"type": "chem_gene:affects^binding", "subj": "-", "obj": "3"},
    ],
}
NOTES = {"unmapped-relation": 1, "missing-entity": 2, "untyped-pair": 1, "duplicate-relation": 1}


def parse(record=RECORD):
    return FORMAT.parse(json.dumps(record).encode(), 3)


def written(*documents):
    return json.loads(b"".join(FORMAT.render(documents)))


def named(document):
    ids = [entity.id for entity in document.entities]
    return {(r.relation, ids[r.head], ids[r.tail]) for r in document.relations}


def read_pubtator(folder, abstracts, relations):
    (folder / "relations.tsv.gz").write_bytes(gzip.compress(relations))
    format_ = ChemDisGenePubTatorFormat(relationships=(folder / "relations.tsv.gz",))
    return [format_.parse(record, i) for i, record in enumerate(format_.split(abstracts))]


def test_a_record_becomes_a_document():
    document, notes = parse()
    assert check(document) == []
    assert document.text == f"{TITLE} {ABSTRACT}"
    assert document.sentences[0] == ("zorbin", "raises", "abc1")
    assert document.extra["title"] == TITLE
    # the type of an entity is that of its last mention
    assert [(e.id, e.type, len(e.mentions)) for e in document.entities] == [
        ("C1", "Chemical", 1),
        ("1|2", "Gene", 1),
        ("C2", "Chemical", 2),
        ("3", "Gene", 1),
        ("D1", "Disease", 1),
        ("-", "Chemical", 2),
    ]
    assert document.candidates == (
        (0, 1), (0, 3), (0, 4), (1, 4), (2, 1), (2, 3), (2, 4), (3, 4),
    )  # fmt: skip
    assert named(document) == {
        ("chem_gene:increases^expression", "C1", "1|2"),
        ("chem_disease:therapeutic", "C2", "D1"),
    }
    assert Counter(note.code for note in notes) == NOTES
    assert {note.severity for note in notes} == {"note"}
    assert notes[0].document == "77"
    assert notes[0].field == "relations[1]"


def test_a_record_is_written_back_as_it_was():
    record = RECORD | {
        "source": {"year": 2019},
        "entity": [{**item, "score": 0.5} for item in RECORD["entity"]],
        "relation": [{**item, "by": "hand"} for item in RECORD["relation"]],
    }
    assert written(parse(record)[0], parse()[0]) == [record, RECORD]


def test_an_unlabelled_record_stays_unlabelled():
    record = {key: value for key, value in RECORD.items() if key != "relation"}
    document, notes = parse(record)
    assert document.relations is None
    assert notes == []
    assert written(document) == [record]


def test_a_text_without_title():
    entities = [{"start": 0, "end": 6, "mention": "zorbin", "type": "Chemical", "id": "C1"}]
    record = {"docid": "78", "text": "zorbin works.", "entity": entities, "relation": []}
    document, _ = parse(record)
    assert document.text == "zorbin works."
    assert "title" not in document.extra
    assert document.relations == ()
    assert written(document) == [record]


@pytest.mark.parametrize("surface", ["Zorbin", ""])
def test_a_wrong_surface_is_a_note(surface):
    record = RECORD | {"entity": [RECORD["entity"][0] | {"mention": surface}], "relation": []}
    document, notes = parse(record)
    assert [(n.code, n.severity, n.field) for n in notes] == [
        ("surface-mismatch", "note", "mentions[0]")
    ]
    assert written(document) == [record]


def test_mentions_in_any_order_are_written_back():
    record = RECORD | {"entity": RECORD["entity"][::-1]}
    assert written(parse(record)[0]) == [record]


def test_documents_from_elsewhere_read_back_equal():
    entities = {"C1": [(0, 6)], "3": [(13, 17)]}
    labels = [(0, 1, "chem_gene:affects^binding")]
    document = Document.from_text(
        "new", "zorbin binds zyx2.", entities, labels, types=["Chemical", "Gene"]
    )
    again, notes = FORMAT.parse(next(FORMAT.split(b"".join(FORMAT.render([document])))), 0)
    assert notes == []
    assert again.candidates == ((0, 1),)
    for part in ("id", "text", "sentences", "entities", "relations"):
        assert getattr(again, part) == getattr(document, part)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"docid": 7}, "wrong-type", "docid"),
        ({"abstract": None}, "wrong-type", "abstract"),
        ({"entity": {}}, "wrong-type", "entity"),
        ({"entity": [7]}, "wrong-type", "entity[0]"),
        ({"entity": [{"start": "1", "end": 2, "mention": "", "type": "", "id": ""}]},
         "wrong-type", "entity[0].start"),
        ({"relation": [{"type": "x", "subj": "C1"}]}, "missing-key", "relation[0].obj"),
        ({"entity": [mention("abc1", "Gene", "3") | {"end": 999}]},
         "span-out-of-range", "entities[0].mentions[0]"),
        ({"entity": [mention("abc1", "Gene", "3") | {"start": 18, "end": 19}]},
         "empty-mention", "entities[0].mentions[0]"),
        ({"entity": [mention("abc1", "Gene", "3") | {"start": 18, "end": 18}]},
         "span-out-of-range", "entities[0].mentions[0]"),
    ],
)  # fmt: skip
def test_broken_records_are_named(change, code, field):
    with pytest.raises(DataError) as caught:
        parse(RECORD | change)
    problems = {(p.code, p.field) for p in caught.value.problems}
    assert (code, field) in problems
    assert caught.value.problems[0].document in ("77", "#3")


def test_a_missing_abstract_is_named():
    record = {key: value for key, value in RECORD.items() if key != "abstract"}
    with pytest.raises(DataError, match="abstract: the key is missing"):
        parse(record)


def test_both_forms_of_the_authors_spelling():
    assert canonical_relation("chem^gene:affects-binding") == "chem_gene:affects^binding"
    assert canonical_relation("chem^disease:marker/mechanism") == "chem_disease:marker/mechanism"
    metabolic = "chem_gene:increases^metabolic_processing"
    assert canonical_relation("chem^gene:increases-metabolic_processing") == metabolic
    assert {canonical_relation(name) for name in CHEMDISGENE_RELATIONS} == set(
        CHEMDISGENE_RELATIONS
    )


def test_json_to_pubtator_and_back(tmp_path):
    document, notes = parse()
    format_ = ChemDisGenePubTatorFormat()
    abstracts = b"".join(format_.render([document]))
    relations = b"".join(format_.render_relationships([document]))
    assert abstracts.startswith(f"77|t|{TITLE}\n77|a|{ABSTRACT}\n77\t0\t6\tzorbin".encode())
    assert relations.startswith(b"77\tchem_gene:increases^expression\tC1\t1|2\n")
    assert relations.count(b"\n") == 7
    (again,) = read_pubtator(tmp_path, abstracts, relations)
    assert again == (document, notes)


def test_the_older_spelling_is_written_back(tmp_path):
    abstracts = b"".join(ChemDisGenePubTatorFormat().render([parse()[0]]))
    relations = b"77\tchem^gene:affects-binding\tC1\t3\n77\tchem^gene:affects-transport\tC1\t3\n"
    ((document, notes),) = read_pubtator(tmp_path, abstracts, relations)
    assert named(document) == {("chem_gene:affects^binding", "C1", "3")}
    assert [note.code for note in notes] == ["unmapped-relation"]
    assert b"".join(ChemDisGenePubTatorFormat().render_relationships([document])) == relations


def test_abstracts_without_relationship_files_are_unlabelled():
    format_ = ChemDisGenePubTatorFormat()
    abstracts = b"".join(format_.render([parse()[0]]))
    document, _ = format_.parse(next(format_.split(abstracts)), 0)
    assert document.relations is None
    assert b"".join(format_.render_relationships([document])) == b""


def test_documents_without_a_line_are_labelled_and_empty(tmp_path, caplog):
    abstracts = b"".join(ChemDisGenePubTatorFormat().render([parse()[0]]))
    ((document, _),) = read_pubtator(tmp_path, abstracts, b"99\tchem_gene:affects^binding\tC1\t3\n")
    assert document.relations == ()
    assert "1 relations are of documents that are not among the abstracts" in caplog.text


@pytest.mark.parametrize(
    ("relations", "code", "place"),
    [
        (b"77\tchem_gene:affects^binding\tC1", "wrong-columns", "relations.tsv.gz line 1"),
        (b"\n9\tx", "wrong-columns", "relations.tsv.gz line 2"),
        (b"77\tx\t\xff\tC1", "not-utf8", ""),
    ],
)
def test_broken_relationship_files_are_named(tmp_path, relations, code, place):
    abstracts = b"".join(ChemDisGenePubTatorFormat().render([parse()[0]]))
    with pytest.raises(DataError) as caught:
        read_pubtator(tmp_path, abstracts, relations)
    assert caught.value.problems[0].code == code
    assert caught.value.problems[0].field == place


def test_a_missing_relationship_file_is_named(tmp_path):
    format_ = ChemDisGenePubTatorFormat(relationships=(tmp_path / "gone.tsv",))
    with pytest.raises(DataError, match=r"gone\.tsv: no such file"):
        list(format_.split(b"1|t|a\n1|a|b\n"))


def test_the_sample(tmp_path):
    file = corpus("chemdisgene/sample_300.json")
    report = ReadReport()
    documents = read_documents(file, report=report)
    assert len(documents) == 300
    assert report.counts() == {"unmapped-relation": 47, "missing-entity": 45}
    assert report.errors == []
    assert sum(len(document.relations) for document in documents) == 2179
    assert sum(len(document.candidates) for document in documents) == 9460
    assert max(len(document.candidates) for document in documents) == 288
    assert sum(len(e.mentions) for document in documents for e in document.entities) == 8089
    assert written(*documents) == json.loads(file.read_bytes())
    format_ = ChemDisGenePubTatorFormat()
    abstracts = b"".join(format_.render(documents))
    relations = b"".join(format_.render_relationships(documents))
    again = read_pubtator(tmp_path, abstracts, relations)
    assert [document for document, _ in again] == documents
    assert b"".join(format_.render(document for document, _ in again)) == abstracts


def test_the_relations_are_those_of_the_published_map():
    raw = json.loads(corpus("chemdisgene/relation_map.json").read_bytes())
    assert tuple(sorted(raw, key=raw.__getitem__)) == CHEMDISGENE_RELATIONS


def test_pairs_and_labels_of_the_published_preprocessing():
    features = json.loads(golden("features/chemdisgene.json").read_text())
    records = FORMAT.split(golden("features/inputs_chemdisgene.json").read_bytes())
    for index, record in enumerate(records):
        document, _ = FORMAT.parse(record, index)
        want = features[document.id]
        assert set(document.candidates) == set(map(tuple, want["hts"]))
        classes = {name: number for number, name in enumerate(CHEMDISGENE_RELATIONS, start=1)}
        ours = {(r.head, r.tail, classes[r.relation]) for r in document.relations}
        assert ours == {(*want["hts"][pair], label) for pair, label in want["labels"]}
        assert [len(e.mentions) for e in document.entities] == [len(p) for p in want["entity_pos"]]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.sampled_from(["", "C1", "-", "77"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("type"), inner),
    max_leaves=3,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_records_raise_nothing_but_data_errors(data):
    record = json.loads(json.dumps(RECORD))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([record, *record["entity"], *record["relation"]]))
        key = data.draw(st.sampled_from(sorted(place)))
        if place is record and key in ("entity", "relation"):
            continue
        place[key] = data.draw(JUNK)
    top = data.draw(st.sampled_from([*record, None]))
    if top:
        record[top] = data.draw(JUNK)
    raw = json.dumps([record]).encode()
    raw = raw[: data.draw(st.sampled_from([len(raw), 40, 300]))]
    try:
        document, _ = FORMAT.parse(next(FORMAT.split(raw)), 0)
    except DataError:
        return
    if record["relation"] is None:  # the same as without the key: unlabelled
        del record["relation"]
    assert written(document) == [record]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_relationships_raise_nothing_but_data_errors(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    format_ = ChemDisGenePubTatorFormat()
    document = parse()[0]
    abstracts = bytearray(b"".join(format_.render([document])))
    relations = bytearray(b"".join(format_.render_relationships([document])))
    for raw in (abstracts, relations):
        at = data.draw(st.integers(0, len(raw) - 1))
        end = data.draw(st.integers(at, min(len(raw), at + 6)))
        bits = [b"", b"\t", b"|", b"9", b"\n", b"\n\n", b"\xff", b"\r", b"-", b"C1"]
        raw[at:end] = data.draw(st.sampled_from(bits))
    try:
        read_pubtator(folder, bytes(abstracts), bytes(relations))
    except DataError:
        return
