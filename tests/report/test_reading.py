"""Every file of predictions is read as what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from docre.data.formats.official import write_predictions
from docre.data.writing import write_documents
from docre.documents import Relation
from docre.errors import DataError
from docre.prediction_forms import DocumentForm
from docre.prediction_lines import entity_names, prediction_line
from docre.report.reading import read_predicted
from docre.scoring import predictions_of
from tests.toy import document

DOCUMENTS = [document(seed, 4) for seed in range(10)]


def keys(relations):
    return {
        name: [(r.head, r.tail, r.relation, r.evidence) for r in rs]
        for name, rs in relations.items()
        if rs
    }


EXPECTED = keys({one.id: one.relations for one in DOCUMENTS})


@pytest.mark.parametrize("name", ["result.json", "result.zip"])
def test_official_results(tmp_path, name):
    write_predictions(tmp_path / name, predictions_of(DOCUMENTS))
    told = read_predicted(tmp_path / name)
    assert keys(told.relations) == EXPECTED
    assert not told.documents


@pytest.mark.parametrize(("name", "form"), [("d.jsonl", "docre"), ("d.json", "docred")])
def test_documents(tmp_path, name, form):
    write_documents(tmp_path / name, DOCUMENTS, form)
    told = read_predicted(tmp_path / name)
    assert keys(told.relations) == EXPECTED
    assert list(told.documents) == [one.id for one in DOCUMENTS]


def lines(path, changes=None):
    torch_free = type("Triple", (), {})
    written = []
    for one in DOCUMENTS:
        triples = []
        for r in one.relations:
            triple = torch_free()
            triple.__dict__.update(
                head=r.head,
                tail=r.tail,
                relation=r.relation,
                score=1.5,
                margin=0.25,
                evidence=r.evidence,
            )
            triples.append(triple)
        names = {"born_in": "born in"}
        written.append(prediction_line(one.id, triples, entity_names(one), names))
    for index, change in (changes or {}).items():
        written[index].update(change)
    path.write_text("".join(json.dumps(line) + "\n" for line in written))
    return path


def test_prediction_lines(tmp_path):
    told = read_predicted(lines(tmp_path / "predictions.jsonl"))
    assert keys(told.relations) == EXPECTED
    assert list(told.relations) == [one.id for one in DOCUMENTS]
    assert told.descriptions == {"born_in": "born in"}
    every = [r for relations in told.relations.values() for r in relations]
    assert {(r.score, r.extra["margin"]) for r in every} == {(1.5, 0.25)}


def test_what_is_wrong_is_named(tmp_path):
    wrong = {
        1: {"triples": [{"head": "0", "tail": 1, "relation": "r"}, 7]},
        2: {"id": DOCUMENTS[0].id},
        3: {"triples": None},
    }
    path = lines(tmp_path / "predictions.jsonl", wrong)
    with pytest.raises(DataError) as caught:
        read_predicted(path)
    told = {(p.document, p.field) for p in caught.value.problems}
    assert told == {
        (DOCUMENTS[1].id, "triples[0].head"),
        (DOCUMENTS[1].id, "triples[1]"),
        (DOCUMENTS[0].id, "id"),
        (DOCUMENTS[3].id, "triples"),
    }
    assert {p.source for p in caught.value.problems} == {str(path)}


def test_a_model_that_finds_nothing(tmp_path):
    (tmp_path / "result.json").write_text(" [ ] ")
    assert read_predicted(tmp_path / "result.json").relations == {}
    (tmp_path / "lines.jsonl").write_text('{"id": "a", "triples": []}\n')
    assert read_predicted(tmp_path / "lines.jsonl").relations == {"a": []}


def test_documents_with_entities_of_their_own(tmp_path):
    """As docre predict writes them for a joint model."""
    made = [replace(one, entities=one.entities[::-1]) for one in DOCUMENTS]
    batch = SimpleNamespace(document_ids=tuple(one.id for one in made))
    records = DocumentForm().records(".jsonl", made, batch, {}, {})
    DocumentForm().write(tmp_path / "p.jsonl", [one.line for one in records])
    told = read_predicted(tmp_path / "p.jsonl")
    assert list(told.documents.values()) == made
    assert keys(told.relations) == EXPECTED


@pytest.mark.parametrize("content", ["", "hello", '{"id": "a", "triples": [', "[1]"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(DataError, match="file"):
        read_predicted(path)


def test_relation_of_a_line_needs_no_scores(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text('{"id": "a", "triples": [{"head": 0, "tail": 1, "relation": "r"}]}\n')
    assert read_predicted(path).relations == {"a": [Relation(0, 1, "r")]}
