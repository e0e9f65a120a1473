"""Joint scores against a slow scorer written from the definitions, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError
from docre.scoring.extraction import Annotation
from docre.scoring.joint import score_extractions, score_joint

WORDS = (("one", "two", "three"), ("four", "five"))
SPANS = ((0, 0, 1), (0, 0, 2), (0, 2, 3), (1, 0, 1), (1, 0, 2))
TYPES = ("PER", "LOC")
RELATIONS = ("born", "died")


def make(id, entities, relations=()):
    """Entities as ``(type, spans)``."""
    made = tuple(Entity(tuple(Mention(*span) for span in spans), kind) for kind, spans in entities)
    labels = None if relations is None else tuple(Relation(*label) for label in relations)
    return Document(id, WORDS, made, labels)


@st.composite
def documents(draw, names):
    made = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        spans = st.lists(st.sampled_from(SPANS), min_size=1, max_size=3)
        entities = draw(st.lists(st.tuples(st.sampled_from(TYPES), spans), max_size=4))
        relations = None if draw(st.integers(0, 3)) == 0 else ()
        if entities and relations is not None:
            index = st.integers(0, len(entities) - 1)
            label = st.tuples(index, index, st.sampled_from(RELATIONS))
            relations = draw(st.lists(label, max_size=4))
        made.append(make(name, entities, relations))
    return made


def distinct(listed):
    return [one for number, one in enumerate(listed) if one not in listed[:number]]


def slow_items(document, level):
    """Label and item, as sorted lists and without hashing."""
    if document is None:
        return []
    sets = [
        distinct(sorted((m.sentence, m.start, m.end) for m in entity.mentions))
        for entity in document.entities
    ]
    types = [entity.type for entity in document.entities]
    labels = document.relations or ()
    match level:
        case "mention":
            return distinct([("", span) for spans in sets for span in spans])
        case "coreference":
            return distinct([("", spans) for spans in sets])
        case "entity":
            return distinct(list(zip(types, sets, strict=True)))
        case "relation_relaxed":
            return distinct([(r.relation, sets[r.head], sets[r.tail]) for r in labels])
    typed = list(zip(types, sets, strict=True))
    return distinct([(r.relation, typed[r.head], typed[r.tail]) for r in labels])


def slow_strict(document, label):
    """A relation as its name and both entities."""
    ends = (document.entities[index] for index in (label.head, label.tail))
    spans = [(e.type, sorted({(m.sentence, m.start, m.end) for m in e.mentions})) for e in ends]
    return label.relation, *spans


def slow_f1(correct, predicted, gold):
    return 2 * correct / (predicted + gold) if correct else 0


@settings(deadline=None)  # the first example imports scipy
@given(documents(("a", "b", "c")), documents(("a", "b", "c", "new")))
def test_equal_to_the_definitions(gold, predicted):
    scores = score_joint(gold, predicted)
    flat = scores.to_dict(labels=True)
    truth, guess = ({d.id: d for d in listed} for listed in (gold, predicted))
    ids = sorted(truth.keys() | guess.keys())
    for level in ("mention", "coreference", "entity", "relation_relaxed", "relation_strict"):
        relations = level.startswith("relation")
        if relations and any(
            listed and all(d.relations is None for d in listed) for listed in (gold, predicted)
        ):
            assert getattr(scores, level) is None
            assert not any(name.startswith(level) for name in flat)
            continue
        counts = {}
        for name in ids:
            if relations and name in truth and truth[name].relations is None:
                continue
            there, found = (slow_items(side.get(name), level) for side in (truth, guess))
            for column, listed in enumerate((there, found, [i for i in found if i in there])):
                for label, *_ in listed:
                    counts.setdefault(label, [0, 0, 0])[column] += 1
        rows = list(counts.values())
        there, found, correct = (sum(row[column] for row in rows) for column in range(3))
        assert flat[f"{level}_gold"] == there
        assert flat[f"{level}_predicted"] == found
        assert flat[f"{level}_correct"] == correct
        assert flat[f"{level}_precision"] == pytest.approx(correct / found if found else 0)
        assert flat[f"{level}_recall"] == pytest.approx(correct / there if there else 0)
        assert flat[f"{level}_f1"] == pytest.approx(slow_f1(correct, found, there))
        f1 = [slow_f1(c, f, t) for t, f, c in rows]
        assert flat[f"{level}_macro_f1"] == pytest.approx(sum(f1) / len(f1) if f1 else 0)
        recall = [c / t if t else 0 for t, _, c in rows]
        assert flat[f"{level}_macro_recall"] == pytest.approx(sum(recall) / max(1, len(recall)))
        labelled = level not in ("mention", "coreference")
        assert set(getattr(scores, level).labels) == (set(counts) if labelled else set())
        for label, row in counts.items() if labelled else ():
            assert [flat[f"{level}/{label}/{k}"] for k in ("gold", "predicted", "correct")] == row
    repeated = sum(
        len(listed) - len(distinct(listed))
        for d in gold
        for listed in (
            [(e.type, {(m.sentence, m.start, m.end) for m in e.mentions}) for e in d.entities],
            [slow_strict(d, r) for r in d.relations or ()],
        )
    )
    assert scores.gold_duplicates == flat["gold_duplicates"] == repeated
    assert scores.missing_documents == tuple(d.id for d in gold if d.id not in guess)
    assert scores.unknown_documents == tuple(sorted(guess.keys() - truth.keys()))
    assert (scores.documents, flat["missing_documents"]) == (len(gold), len(truth.keys() - guess))
    assert scores.unlabelled_documents == sum(d.relations is None for d in gold)
    judged = [d.id for d in gold if d.relations is None and d.id in guess]
    assert scores.unjudged_relations == sum(len(guess[name].relations or ()) for name in judged)
    assert json.loads(json.dumps(flat)) == flat


@settings(deadline=None)  # the first example imports scipy
@given(documents(("a", "b", "c")), st.randoms())
def test_order_and_repeats_change_nothing(gold, random):
    """Entities, mentions and documents may come in any order and twice."""
    predicted = []
    for document in gold:
        order = list(range(len(document.entities))) * 2
        random.shuffle(order)
        entities = tuple(
            replace(e, mentions=(*e.mentions[::-1], e.mentions[0]))
            for e in (document.entities[index] for index in order)
        )
        relations = tuple(
            replace(r, head=order.index(r.head), tail=order.index(r.tail))
            for r in (*(document.relations or ()), *(document.relations or ()))
        )
        predicted.append(replace(document, entities=entities, relations=relations))
    random.shuffle(predicted)
    scores = score_joint(gold, predicted)
    expected = score_joint(gold, gold)
    # a repeated entity has all its mentions twice
    changed = {"duplicates", "repeated_predicted_mentions"}
    assert {k: v for k, v in scores.to_dict(labels=True).items() if k not in changed} == {
        k: v for k, v in expected.to_dict(labels=True).items() if k not in changed
    }
    copies = sum(len(d.entities) + len(d.relations or ()) for d in gold)
    assert scores.duplicates == 2 * expected.duplicates + copies - expected.duplicates
    for level in ("mention", "coreference", "entity"):
        rates = getattr(scores, level).overall
        assert rates.correct == rates.predicted == rates.gold
    if any(d.entities for d in gold):
        assert scores.partial_coreference.b3.f1 == pytest.approx(1)


ADA, LONDON = ("PER", [(0, 0, 2), (1, 0, 1)]), ("LOC", [(0, 2, 3)])


def test_one_missed_mention_costs_the_entity_and_its_relations():
    gold = make("d", [ADA, LONDON], [(0, 1, "born")])
    scores = score_joint([gold], [make("d", [("PER", [(0, 0, 2)]), LONDON], [(0, 1, "born")])])
    assert scores.mention.overall.correct == 2
    assert (scores.coreference.overall.correct, scores.entity.overall.correct) == (1, 1)
    assert scores.relation_relaxed.overall.correct == scores.relation_strict.overall.correct == 0
    partly = scores.partial_coreference
    assert 0 < partly.conll_f1 < 1
    # one of two mentions of one entity, all of the other: (1/2 + 1) / 3 of the mentions
    assert partly.b3.recall == pytest.approx(1 / 2)
    assert partly.b3.precision == 1


def test_a_wrong_type_costs_the_strict_relation_alone():
    gold = make("d", [ADA, LONDON], [(0, 1, "born")])
    wrong = make("d", [LONDON, ("LOC", ADA[1])], [(1, 0, "born")])
    scores = score_joint([gold], [wrong])
    assert scores.coreference.overall.f1 == scores.relation_relaxed.overall.f1 == 1
    assert scores.partial_coreference.conll_f1 == 1
    assert scores.relation_strict.overall.f1 == 0
    assert (scores.entity.overall.f1, scores.entity.labels["PER"].recall) == (0.5, 0)
    assert scores.entity.labels["LOC"].precision == 0.5


def test_mentions_of_no_entity():
    gold = {"d": Annotation.of(make("d", [LONDON]))}
    loose = replace(gold["d"], mentions=gold["d"].mentions | {(1, 1, 2)})
    scores = score_extractions(gold, {"d": loose})
    assert (scores.mention.overall.precision, scores.coreference.overall.f1) == (0.5, 1)


def test_a_prediction_without_relations_among_others_has_none():
    gold = [make(name, [ADA, LONDON], [(0, 1, "born")]) for name in "ab"]
    silent = [replace(one, relations=None) for one in gold]
    scores = score_joint(gold, [gold[0], silent[1]])
    assert scores.relation_strict.overall.recall == 0.5
    scores = score_joint(gold, silent[:1])  # the other document is missing
    assert scores.relation_relaxed is scores.relation_strict is None
    assert scores.unlabelled_documents == 0
    assert scores.entity.overall.recall == 0.5
    assert not any(name.startswith("relation") for name in scores.intervals(5))


def test_nothing_at_all():
    flat = score_joint([], []).to_dict()
    assert flat["documents"] == flat["relation_strict_f1"] == flat["conll_f1"] == 0


def test_what_cannot_be_scored_is_refused():
    gold = make("d", [ADA, LONDON], [(0, 1, "born")])
    with pytest.raises(DataError, match="'d', id: another document has the same id"):
        score_joint([gold, gold], [])
    with pytest.raises(DataError, match="the same id"):
        score_joint([gold], [gold, gold])
    for head in (-1, 2):
        with pytest.raises(DataError, match=r"relations\[0\].head: entity .*2 entities"):
            score_joint([gold], [replace(gold, relations=(Relation(head, 1, "born"),))])
    with pytest.raises(DataError, match=r"entities\[1\].mentions: the entity has no mention"):
        score_joint([gold], [make("d", [ADA, ("LOC", [])])])
    other = replace(gold, sentences=(("one", "two"), ("three", "four", "five")))
    with pytest.raises(DataError, match="text differs from that of the gold"):
        score_joint([gold], [other])
    # words that are not known are not compared
    assert score_joint([gold], [replace(gold, sentences=())]).entity.overall.f1 == 1
