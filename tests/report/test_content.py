"""What goes into the page: the scores of `docre score`, texts as they are, nothing dropped."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import docre.report
from docre.documents import Document, Relation
from docre.errors import DataError
from docre.report.content import page_content
from docre.report.page import SCRIPTS, embedded_json, render_page
from docre.report.reading import PredictedRelations
from docre.scoring import Prediction, score, score_joint
from tests.report.corpus import NASTY, empty, entity, nasty, noisy, overlapping
from tests.toy import RELATIONS, document

CORPUS = [*(document(seed) for seed in range(40)), overlapping(), nasty(), *empty()]


@pytest.fixture(scope="module")
def predicted():
    stranger = [Relation(0, 1, "born_in"), Relation(0, 1, "of nobody")]
    return PredictedRelations({**noisy(CORPUS, RELATIONS.names), "else": stranger})


@pytest.fixture(scope="module")
def content(predicted):
    return page_content(CORPUS, predicted, True)


def test_scores_are_those_of_docre_score(predicted, content):
    listed = [
        Prediction(name, r.head, r.tail, r.relation)
        for name, relations in predicted.relations.items()
        for r in relations
    ]
    scores = score(listed, CORPUS)
    assert content["scores"] == scores.overall.to_dict()
    assert 0 < scores.overall.correct < scores.overall.predicted
    rows = {row["name"]: row for row in content["relations"]}
    for name, rates in scores.relations.items():
        row = rows[name]
        assert row["true"] == rates.correct
        assert row["true"] + row["false"] == rates.predicted
        assert row["true"] + row["missed"] == rates.gold
    assert rows["of nobody"]["false"] == 1
    verdicts = Counter(t[3] for one in content["documents"] for t in one["triples"])
    assert verdicts["true"] == scores.overall.correct
    assert verdicts["false"] == scores.overall.predicted - scores.overall.correct - 2
    assert verdicts["missed"] == scores.overall.gold - scores.overall.correct
    assert sum(row["false"] for row in rows.values()) == verdicts["false"] + 2


def test_notes_say_what_is_not_plain(predicted, content):
    notes = " ".join(content["notes"])
    repeated = sum(
        len(relations) - len({(r.head, r.tail, r.relation) for r in relations})
        for name, relations in predicted.relations.items()
    )
    assert f"{repeated} repeated" in notes
    assert "2 predictions are for documents that are not here" in notes
    assert "else" in notes
    assert "1 documents without labels" in notes
    assert "entities that the document lacks" in notes
    assert page_content([overlapping()], PredictedRelations({}), True)["notes"] == []


def test_texts_come_out_as_they_went_in(content):
    for one, raw in zip(CORPUS, content["documents"], strict=True):
        assert raw["id"] == one.id
        assert ["".join(pieces) for pieces in raw["sentences"]] == [
            " ".join(words) for words in one.sentences
        ]
        for entity_, (kind, verdict, name, id_, mentions) in zip(
            one.entities, raw["entities"], strict=True
        ):
            assert (kind, verdict, id_) == (entity_.type, "true", entity_.id)
            assert mentions == [[m.sentence, m.start, m.end] for m in entity_.mentions]
            assert bool(name) == bool(mentions)


def test_raw_text_keeps_its_blanks():
    text = "IL-2, or (interleukin)\n2. It is."
    one = Document.from_text("raw", text, [[(0, 4)], [(10, 21)]])
    raw = page_content([one], PredictedRelations({}), False)["documents"][0]
    joined = " ".join("".join(pieces) for pieces in raw["sentences"])
    assert joined == text.replace("\n", " ")


def test_scores_margins_and_evidence_stay():
    relation = Relation(0, 1, "in", (1,), 0.123456, {"margin": 0.5})
    raw = page_content([overlapping()], PredictedRelations({"overlapping": [relation]}), True)
    triples = raw["documents"][0]["triples"]
    names = [row["name"] for row in raw["relations"]]
    assert triples[0] == [0, names.index("in"), 1, "true", 0.1235, 0.5, (1,), (0,), 0]
    assert triples[1] == [3, names.index("in"), 4, "missed", None, None, None, None, 0]


def test_without_labels_nothing_is_judged(predicted):
    content = page_content(CORPUS, predicted, False)
    assert content["scores"] is None
    assert {t[3] for one in content["documents"] for t in one["triples"]} == {"unjudged"}
    assert "not judged" in content["notes"][0]
    assert "count as wrong" not in " ".join(content["notes"])
    unlabelled = page_content([document(1, labelled=False)], PredictedRelations({}), True)
    assert unlabelled["scores"] is None


def test_relations_are_called_what_people_know():
    one = Document.from_words(
        "d", [["a", "b"]], [entity("", (0, 0, 1)), entity("", (0, 1, 2))], [(0, 1, "P17")]
    )
    described = page_content([one], PredictedRelations({}), True)["relations"]
    assert described[0]["description"] == "country"
    other = PredictedRelations({"d": [Relation(0, 1, "mine")]}, descriptions={"mine": "my own"})
    rows = {r["name"]: r for r in page_content([one], other, True)["relations"]}
    assert {name: row["description"] for name, row in rows.items()} == {"P17": "", "mine": "my own"}
    rows = page_content([one], other, True, descriptions={"mine": "given"})["relations"]
    assert {row["description"] for row in rows} == {"", "given"}


def test_entities_have_scores_only_where_they_are_predicted():
    gold = overlapping()
    same = PredictedRelations({gold.id: []}, {gold.id: gold})
    assert page_content([gold], same, True)["entities"] is None
    fewer = Document(gold.id, gold.sentences, gold.entities[:3], ())
    told = page_content([gold], PredictedRelations({gold.id: []}, {gold.id: fewer}), True)
    assert (told["entities"]["gold"], told["entities"]["predicted"]) == (6, 3)
    assert told["entities"]["correct"] == 3
    assert "Entities are predicted" in " ".join(told["notes"])


def test_joint_predictions_without_a_document_miss_all_of_it():
    """As docre score has it: a document of which nothing is predicted counts as empty."""
    gold = [replace(document(seed, 4), id=f"{seed}") for seed in range(6)]
    made = {one.id: replace(one, entities=one.entities[1:], relations=()) for one in gold[:3]}
    told = page_content(gold, PredictedRelations({name: [] for name in made}, made), True)
    rates = score_joint(gold, made.values()).entity.overall
    assert told["entities"] == rates.to_dict()
    for one in told["documents"][3:]:
        assert {verdict for _, verdict, *_ in one["entities"]} == {"missed"}


def test_predictions_that_say_nothing_of_relations():
    gold = [replace(document(seed, 4), id=f"{seed}") for seed in range(6)]
    made = {one.id: replace(one, entities=one.entities[1:], relations=None) for one in gold[:3]}
    told = page_content(gold, PredictedRelations({name: [] for name in made}, made), True)
    assert told["scores"] is None
    assert told["entities"] == score_joint(gold, made.values()).entity.overall.to_dict()
    assert "say nothing of relations" in " ".join(told["notes"])


def test_every_document_of_another_text_is_named():
    gold = [replace(document(seed, 4), id=f"{seed}") for seed in range(4)]
    made = {one.id: replace(one, sentences=(("other",), *one.sentences)) for one in gold[1:]}
    with pytest.raises(DataError) as caught:
        page_content(gold, PredictedRelations({name: [] for name in made}, made), True)
    assert [(one.document, one.field) for one in caught.value.problems] == [
        (name, "sentences") for name in "123"
    ]
    assert "the text differs from that of the gold" in str(caught.value)


def test_given_entities_are_not_judged():
    """Documents that repeat the entities of the gold, or all but their types."""
    gold = [replace(document(seed, 4), id=f"{seed}") for seed in range(6)]
    bare = [replace(e, type="") for e in gold[0].entities]
    for made in (gold[0], replace(gold[0], entities=tuple(bare))):
        relations = PredictedRelations({"0": list(made.relations)}, {"0": made})
        told = page_content(gold, relations, True)
        assert told["entities"] is None
        assert {e[1] for one in told["documents"] for e in one["entities"]} == {"true"}
        correct = len(gold[0].relations)
        assert told["scores"]["correct"] == told["scores"]["predicted"] == correct > 0


def test_entities_that_are_listed_twice_count_as_docre_score_has_them():
    gold = [replace(document(seed, 5), id=f"{seed}") for seed in range(8)]
    gold = [replace(one, entities=(*one.entities, one.entities[0])) for one in gold]
    made = {one.id: replace(one, entities=one.entities[:-2], relations=()) for one in gold}
    for one in gold:
        kept = tuple(r for r in one.relations if max(r.head, r.tail) < 4)
        made[one.id] = replace(made[one.id], relations=kept)
    told = PredictedRelations({name: list(one.relations) for name, one in made.items()}, made)
    unlabelled = replace(document(50, labelled=False), id="unlabelled")
    content = page_content([*gold, unlabelled], told, True)
    scores = score_joint(gold, made.values())
    assert content["scores"] == scores.relation_strict.overall.to_dict()
    assert content["entities"] == scores.entity.overall.to_dict()
    assert 0 < scores.entity.overall.correct < scores.entity.overall.gold


class Elements(HTMLParser):
    """Collects the elements of a page and what stands in its scripts."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], Counter()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        if self.tags and data.strip():
            self.texts[self.tags[-1]] += 1


def test_nothing_of_the_data_becomes_markup(content):
    plain, page = Elements(), Elements()
    plain.feed(render_page({}, "title"))
    html = render_page({**content, "files": [{"role": t, "file": t} for t in NASTY]}, NASTY[0])
    page.feed(html)
    assert page.tags == plain.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in plain.attributes]
    assert NASTY[0] not in html
    data = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.S)[1]
    assert not set("<>&\u2028\u2029") & set(data)
    told = json.loads(data)
    assert [one["id"] for one in told["documents"]] == [one.id for one in CORPUS]
    assert told["files"][3]["file"] == "$title $data ${data}"


@pytest.mark.parametrize("text", NASTY)
def test_embedded_json_is_the_same_value(text):
    embedded = embedded_json({text: [text]})
    assert json.loads(embedded) == {text: [text]}
    assert not set("<>&\u2028\u2029") & set(embedded)


def test_page_asks_for_nothing_and_makes_no_markup_of_texts():
    html = render_page({}, "title")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "//" not in re.sub(r"(^|\s)//.*", "", html)  # comments apart, no address of anything
    assert not re.search(r"<link|@import|url\(|src=|\son\w+=", html)
    for name in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert name not in html


def test_every_script_is_in_the_page():
    folder = Path(docre.report.__file__).parent
    assert set(SCRIPTS) == {path.name for path in folder.glob("*.js")}
    html = render_page({}, "title")
    assert all((folder / name).read_text(encoding="utf-8") in html for name in SCRIPTS)
    assert "<!doctype html>" in html
    assert html.count("<script") == 2
