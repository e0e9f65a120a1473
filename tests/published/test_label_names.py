"""Names of relations and entity types."""

from __future__ import annotations

import json

import pytest

from docre.data.relations import DOCRED_TYPES
from docre.errors import DocreError
from docre.published.label_names import label_names


def test_those_of_the_data_set():
    assert len(label_names(None, None, "docred").relations) == 96
    assert label_names(None, None, "docred").types == DOCRED_TYPES
    assert label_names(None, None, "cdr").relations.names == ("CID",)
    assert len(label_names(None, ["A"], "chemdisgene").relations) == 14
    assert label_names(None, ["A"], "gda").types == ("A",)


def test_names_and_numbers(tmp_path):
    file = tmp_path / "rel2id.json"
    file.write_text(json.dumps({"second": 2, "Na": 0, "first": 1}))
    assert label_names(file, None, "docred").relations.names == ("first", "second")
    assert not label_names(file, None, "docred").relations.descriptions
    # DocRED's numbers say nothing to a reader
    file.write_text(json.dumps({"Na": 0, "P27": 2, "P17": 1}))
    found = label_names(file, None, "docred").relations
    assert found.descriptions == {"P17": "country", "P27": "country of citizenship"}


def test_types_file_of_jerex(tmp_path):
    file = tmp_path / "types.json"
    body = {
        "entities": {"LOC": {"short": "LOC", "verbose": "Location"}, "PER": {}},
        "relations": {"P17": {"short": "c", "verbose": "a country"}, "P6": {"short": "h"}},
    }
    file.write_text(json.dumps(body))
    found = label_names(file, None, "docred")
    assert (found.relations.names, found.types) == (("P17", "P6"), ("LOC", "PER"))
    # what the file says counts more than what docre knows
    assert found.relations.descriptions == {"P17": "a country", "P6": "head of government"}
    assert label_names(file, ["X", "Y"], "docred").types == ("X", "Y")
    file.write_text(json.dumps({"entities": [], "relations": {}}))
    with pytest.raises(DocreError, match="name by name"):
        label_names(file, None, "docred")


def test_what_is_no_file_of_names(tmp_path):
    with pytest.raises(DocreError, match="dataset: 'foo' is none of docred, cdr"):
        label_names(None, None, "foo")
    with pytest.raises(DocreError, match="no such file"):
        label_names(tmp_path / "none.json", None, "docred")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DocreError, match="not JSON"):
        label_names(tmp_path / "bad.json", None, "docred")
