"""Documents as files: docre's own lines, and the form of published joint extraction."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from docre.data.reading import read_documents
from docre.documents import Document, Entity, Mention, Relation
from docre.prediction_forms import DocumentForm, extraction_entry
from tests.toy import document

FOUND = [replace(document(seed), id=f"no. {seed}\t\n{{") for seed in range(30)]


def lines(suffix, found=FOUND):
    batch = SimpleNamespace(document_ids=tuple(one.id for one in found))
    return list(DocumentForm().records(suffix, found, batch, {}, {}))


def test_own_lines_are_read_back(tmp_path):
    scores = [0.1 + n / 7 for n in range(9)]
    scored = [
        replace(one, relations=tuple(map(lambda r, s: replace(r, score=s), one.relations, scores)))
        for one in FOUND
    ]
    text = Document.from_text("text", "Ada met Bob. He left.", [[(0, 3)], [(8, 11)]], [(0, 1, "r")])
    made = [*scored, text]
    records = lines(".jsonl", made)
    assert [(one.document, one.size) for one in records] == [(one.id, 1) for one in made]
    DocumentForm().write(tmp_path / "p.jsonl", (one.line for one in records))
    assert read_documents(tmp_path / "p.jsonl") == made


@pytest.mark.parametrize("count", [0, 1, 30])
def test_the_published_form_is_a_list_in_order(tmp_path, count):
    records = lines(".json", FOUND[:count])
    DocumentForm().write(tmp_path / "p.json", (one.line for one in records))
    told = json.loads((tmp_path / "p.json").read_text())
    assert told == [extraction_entry(one) for one in FOUND[:count]]


def test_entries_against_a_loop():
    assert any(len(one.entities) > 3 and one.relations for one in FOUND)
    for one in FOUND:
        entry = extraction_entry(one)
        words = [word for sentence in one.sentences for word in sentence]
        assert entry["tokens"] == words
        spans = [(m["start"], m["end"]) for m in entry["mentions"]]
        assert spans == sorted(set(spans))
        used = set()
        for entity, told in zip(one.entities, entry["entities"], strict=True):
            assert told["type"] == entity.type
            expected = set()
            for mention in entity.mentions:
                before = sum(len(one.sentences[s]) for s in range(mention.sentence))
                expected.add((before + mention.start, before + mention.end))
            assert {spans[number] for number in told["mentions"]} == expected
            assert len(told["mentions"]) == len(expected)
            used |= expected
        assert used == set(spans)
        assert entry["relations"] == [
            {"head": r.head, "tail": r.tail, "type": r.relation} for r in one.relations
        ]


def test_a_document_in_which_nothing_was_looked_for():
    one = Document("d", (("a",), ()), (Entity((Mention(0, 0, 1),), "X"),), None)
    assert extraction_entry(one) == {
        "tokens": ["a"],
        "mentions": [{"start": 0, "end": 1}],
        "entities": [{"mentions": [0], "type": "X"}],
        "relations": [],
    }
    assert extraction_entry(replace(one, relations=(Relation(0, 0, "r"),)))["relations"]
