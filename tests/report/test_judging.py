"""Verdicts against a slow loop, and what makes a predicted entity the same as one of the gold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from docre.documents import Document, Relation
from docre.errors import DataError
from docre.report.judging import judge
from tests.report.corpus import empty, entity, nasty, noisy, overlapping
from tests.toy import RELATIONS, document

CORPUS = [*(document(seed) for seed in range(60)), overlapping(), nasty(), *empty()]


@pytest.mark.parametrize("has_gold", [True, False])
def test_verdicts_are_those_of_a_slow_loop(has_gold):
    seen = set()
    for one in CORPUS:
        predicted = noisy([one], RELATIONS.names)[one.id]
        judged = judge(one, predicted, None, has_gold)
        told = [(t.key, t.verdict) for t in judged.triples]
        expected = []
        labels = [(r.head, r.tail, r.relation) for r in one.relations or ()]
        for r in predicted:
            key = (r.head, r.tail, r.relation)
            if any(key == other for other, _ in expected):
                continue
            if not has_gold or one.relations is None:
                expected.append((key, "unjudged"))
            else:
                expected.append((key, "true" if key in labels else "false"))
        if has_gold:
            expected += [(k, "missed") for k in labels if all(k != other for other, _ in expected)]
        assert told == expected
        assert judged.repeated == len(predicted) - sum(v != "missed" for _, v in told)
        seen.update(verdict for _, verdict in told)
    assert seen == ({"true", "false", "missed", "unjudged"} if has_gold else {"unjudged"})


def test_distance_and_evidence():
    one = overlapping()
    predicted = [Relation(0, 1, "in", (1,)), Relation(0, 99, "in"), Relation(-1, 0, "in")]
    told = {t.key: t for t in judge(one, predicted, None, True).triples}
    for (head, tail, _), triple in told.items():
        expected = -1
        if min(head, tail) >= 0 and max(head, tail) < 6:
            expected = min(
                abs(a.sentence - b.sentence)
                for a in one.entities[head].mentions
                for b in one.entities[tail].mentions
            )
        assert triple.distance == expected
    assert told[0, 1, "in"].relation.evidence == (1,)
    assert told[0, 1, "in"].gold_evidence == (0,)
    assert told[0, 99, "in"].gold_evidence is None
    assert told[3, 4, "in"].gold_evidence is None


def own(gold, entities, relations):
    return replace(gold, entities=entities, relations=relations)


def test_predicted_entities_are_the_same_by_mentions_and_type():
    gold = Document.from_words(
        "joint",
        [["Ada", "met", "Bob", "in", "Bonn"], ["He", "left"]],
        [entity("PER", (0, 0, 1)), entity("PER", (0, 2, 3), (1, 0, 1)), entity("LOC", (0, 4, 5))],
        [(0, 1, "met"), (0, 2, "was in"), (1, 2, "was in")],
    )
    predicted = own(
        gold,
        (
            entity("LOC", (0, 4, 5)),  # true, elsewhere in the list
            entity("PER", (1, 0, 1), (0, 2, 3)),  # true, mentions in another order
            entity("LOC", (0, 0, 1)),  # another type
            entity("PER", (0, 2, 3)),  # a mention is lacking
        ),
        (Relation(1, 0, "was in"), Relation(2, 1, "met"), Relation(3, 0, "was in")),
    )
    judged = judge(gold, predicted.relations, predicted, True)
    assert judged.entities == ("missed", "true", "true", "false", "false")
    assert [e.type for e in judged.document.entities] == ["PER", "PER", "LOC", "LOC", "PER"]
    assert {t.key: t.verdict for t in judged.triples} == {
        (1, 2, "was in"): "true",
        (3, 1, "met"): "false",
        (4, 2, "was in"): "false",
        (0, 1, "met"): "missed",
        (0, 2, "was in"): "missed",
    }
    shown = judge(gold, predicted.relations, predicted, False)
    assert shown.entities == ("unjudged",) * 4
    assert [t.key for t in shown.triples] == [(1, 0, "was in"), (2, 1, "met"), (3, 0, "was in")]


def places(entity_):
    return frozenset((m.sentence, m.start, m.end) for m in entity_.mentions), entity_.type


def changed(gold, chance):
    """Return a document as a joint model might predict it: entities lost, cut, retyped, moved."""
    kept = []
    for one in gold.entities:
        what = chance.random()
        if what < 0.15:
            continue
        if what < 0.3:
            one = replace(one, mentions=one.mentions[:1])
        elif what < 0.4:
            one = replace(one, type="OTHER")
        kept.append(one)
    chance.shuffle(kept)
    numbers = range(len(kept))
    keys = {(h, t, n) for h in numbers for t in numbers if h != t for n in RELATIONS.names}
    keys = chance.sample(sorted(keys), len(keys) // 4)
    for r in gold.relations or ():
        near = [[i for i in numbers if kept[i] == gold.entities[e]] for e in (r.head, r.tail)]
        keys += [(near[0][0], near[1][0], r.relation)] if all(near) else []
    return own(gold, tuple(kept), tuple(Relation(*key) for key in dict.fromkeys(keys)))


def test_predicted_entities_against_sets():
    chance = Random(3)
    total = Counter()
    for seed in range(150):
        gold = document(seed)
        predicted = changed(gold, chance)
        if any(len(set(map(places, d.entities))) < len(d.entities) for d in (gold, predicted)):
            continue  # equal entities cannot be told apart in a set
        judged = judge(gold, predicted.relations, predicted, True)
        for items, found in (
            ([set(map(places, d.entities)) for d in (gold, predicted)], judged.entities),
            (
                [
                    {
                        (places(d.entities[r.head]), places(d.entities[r.tail]), r.relation)
                        for r in d.relations
                    }
                    for d in (gold, predicted)
                ],
                [t.verdict for t in judged.triples],
            ),
        ):
            expected = {
                "true": len(items[0] & items[1]),
                "false": len(items[1] - items[0]),
                "missed": len(items[0] - items[1]),
            }
            assert Counter(found) == Counter(expected)
            total.update(expected)
    assert min(total.values()) > 50


def test_given_entities_stay_what_they_are():
    for one in CORPUS:
        if one.relations is None:
            continue
        judged = judge(one, one.relations, one, True)
        assert set(judged.entities) <= {"true"}
        assert [t.key for t in judged.triples] == [
            (r.head, r.tail, r.relation) for r in one.relations
        ]
        assert {t.verdict for t in judged.triples} <= {"true"}


def test_equal_entities_are_matched_once():
    gold = Document("twins", (("a", "b"),), (entity("X", (0, 0, 1)), entity("X", (0, 0, 1))), ())
    predicted = own(gold, (gold.entities[0],) * 3, ())
    assert judge(gold, (), predicted, True).entities == ("true", "true", "false")


def test_other_words_cannot_be_compared():
    gold = overlapping()
    with pytest.raises(DataError, match=r"overlapping.*words"):
        judge(gold, (), replace(gold, sentences=(("else",),)), True)
