import copy
import gzip
import json
import pickle

import pytest

from docre.data.relations import DOCRED_RELATIONS, DOCRED_TYPES, RelationSet
from docre.documents import Document, Relation
from docre.errors import DataError
from tests.corpora import corpus


def codes(error):
    return [problem.code for problem in error.value.problems]


def document(*labels):
    return Document("d", (("a",),), relations=tuple(Relation(0, 1, name) for name in labels))


def test_docred_table_is_the_official_one():
    numbers = json.loads(corpus("docred/meta/rel2id.json").read_text())
    labels = json.loads(corpus("docred/meta/rel_info.json").read_text())
    assert {name: k for k, (name, _) in enumerate(DOCRED_RELATIONS, 1)} | {"Na": 0} == numbers
    assert dict(DOCRED_RELATIONS) == labels


def test_docred_types_are_the_official_ones():
    numbers = json.loads(corpus("docred/meta/ner2id.json").read_text())
    assert {name: k for k, name in enumerate(DOCRED_TYPES, 1)} | {"BLANK": 0} == numbers


def test_docred_files_read_as_the_table():
    assert RelationSet.from_file(corpus("docred/meta/rel2id.json")) == RelationSet.docred()
    described = RelationSet.from_file(corpus("docred/meta/rel_info.json"))
    assert set(described) == set(RelationSet.docred())
    assert described != RelationSet.docred()  # the order of rel_info.json is another
    assert described.descriptions == RelationSet.docred().descriptions


def test_chemdisgene_map_is_read_from_zero():
    relations = RelationSet.from_file(corpus("chemdisgene/relation_map.json"))
    assert len(relations) == 14
    assert relations.index("chem_disease:marker/mechanism") == 0


def test_docred_set():
    relations = RelationSet.docred()
    assert len(relations) == 96
    assert relations.index("P17") == 0
    assert relations.column("P17") == 1
    assert relations.column("P1198") == 96
    assert relations.descriptions["P17"] == "country"
    assert "P17" in relations
    assert "Na" not in relations
    assert 17 not in relations
    assert list(relations) == [name for name, _ in DOCRED_RELATIONS]


def test_equal_by_names_in_order():
    one = RelationSet(("a", "b"), {"a": "first"})
    assert one == RelationSet(("a", "b"))
    assert hash(one) == hash(RelationSet(("a", "b")))
    assert one != RelationSet(("b", "a"))
    assert one.checksum != RelationSet(("b", "a")).checksum
    assert RelationSet(("a,b",)).checksum != one.checksum
    assert one.checksum == "3554d2b8a1e3"  # stored in checkpoints and caches: must not change
    for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert twin == one
        assert twin.index("b") == 1


def test_from_documents_most_frequent_first():
    documents = [document("b", "c"), document("a", "c"), document(), Document("u", ())]
    assert RelationSet.from_documents(documents).names == ("c", "a", "b")
    assert RelationSet.from_documents(iter(documents[::-1])).names == ("c", "a", "b")
    with pytest.raises(DataError) as error:
        RelationSet.from_documents([Document("u", ())])
    assert codes(error) == ["no-relations"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (["b", "a"], ("b", "a")),
        ({"b": "second", "a": "first"}, ("b", "a")),
        ({"b": 2, "Na": 0, "a": 1}, ("a", "b")),
        ({"b": 1, "a": 0}, ("a", "b")),
        ({"b": 2, "a": 1}, ("a", "b")),
    ],
    ids=["list", "described", "numbered", "from-zero", "from-one"],
)
def test_from_file(tmp_path, content, names):
    path = tmp_path / "relations.json"
    path.write_text(json.dumps(content))
    assert RelationSet.from_file(str(path)).names == names
    (tmp_path / "r.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert RelationSet.from_file(tmp_path / "r.json.gz").names == names


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "not-json"),
        ("[", "not-json"),
        ("\udcff", "not-json"),
        ("3", "wrong-type"),
        ('{"a": 1.5}', "wrong-type"),
        ('{"a": true}', "wrong-type"),
        ('{"a": 1, "b": "x"}', "wrong-type"),
        ('{"a": 1, "b": 3}', "wrong-type"),
        ('{"a": 1, "b": 1}', "wrong-type"),
        ('{"a": 5, "b": 6}', "wrong-type"),
        ('{"Na": 2, "a": 0, "b": 1}', "no-relation-class"),
        ('{"Na": 0}', "no-relations"),
        ("{}", "no-relations"),
        ("[]", "no-relations"),
        ('["a", "a"]', "duplicate-relation"),
        ('{"a": "x", "a": "y"}', "duplicate-relation"),
        ('["a", " "]', "empty-relation"),
        ('["a", 3]', "empty-relation"),
        ('["a", ["b"]]', "empty-relation"),
        ('["a", {"b": 1}]', "empty-relation"),
        ('["Na", "a"]', "no-relation-class"),
    ],
)
def test_bad_file_is_named(tmp_path, content, code):
    path = tmp_path / "relations.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError) as error:
        RelationSet.from_file(path)
    assert codes(error) == [code]
    assert str(path) in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        RelationSet.from_file(tmp_path / "none.json")


def test_unknown_relation_shows_the_known_ones():
    with pytest.raises(DataError, match=r"unknown relation 'P9'; the 96 known ones are P17, P131"):
        RelationSet.docred().column("P9")
    with pytest.raises(DataError, match="a description of 'b'"):
        RelationSet(("a",), {"b": "?"})
