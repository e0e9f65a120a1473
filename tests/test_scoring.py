"""Scores against a slow scorer written from the definitions, and their properties."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.fact_files import read_facts
from docre.data.reading import read_documents
from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError, DocreError
from docre.scoring import (
    DOCRED_FREQUENT,
    Convention,
    Facts,
    Gold,
    Prediction,
    RelationGroup,
    UnlabelledError,
    bootstrap,
    epsilon_f1,
    most_frequent,
    pair_rates,
    paired_bootstrap,
    predictions_of,
    score,
)
from tests.corpora import corpus

NAMES = ("A", "B", "C", "D")
RELATIONS = ("P1", "P2", "P3")
TOP = RelationGroup("top", frozenset({"P1", "P9"}))


def make_document(number, mentions, labels):
    """Entities as lists of (sentence, name)."""
    entities = tuple(
        Entity(tuple(Mention(s, 0, 1, "T", name) for s, name in listed)) for listed in mentions
    )
    sentences = tuple(("word",) for _ in range(9))
    return Document(f"d{number}", sentences, entities, labels)


triples = st.tuples(
    st.integers(0, 3), st.integers(0, 3), st.sampled_from(RELATIONS), st.sets(st.integers(0, 4))
)


@st.composite
def corpora(draw):
    documents = []
    for number in range(draw(st.integers(1, 3))):
        mention = st.tuples(st.integers(0, 8), st.sampled_from(NAMES))
        mentions = draw(st.lists(st.lists(mention, min_size=1, max_size=2), min_size=4, max_size=4))
        drawn = draw(st.lists(triples, max_size=6))
        labels = tuple(Relation(h, t, r, tuple(sorted(e))) for h, t, r, e in drawn)
        documents.append(make_document(number, mentions, labels))
    names = st.sampled_from(NAMES)
    known = draw(st.sets(st.tuples(names, names, st.sampled_from(RELATIONS)), max_size=20))
    return documents, Facts("some", frozenset(known))


predicted = st.lists(
    st.builds(
        Prediction,
        st.sampled_from(["d0", "d0", "d1", "d2", "elsewhere"]),
        st.integers(-1, 4),
        st.integers(0, 3),
        st.sampled_from([*RELATIONS, "P9"]),
        st.lists(st.integers(-1, 4), max_size=4).map(tuple),
    ),
    max_size=25,
)


def f1_of(p, r):
    return 2 * p * r / (p + r) if p + r else 0.0


def slow(predictions, documents, facts):
    """The definitions, one after another, with loops and sets."""
    by_id = {d.id: d for d in documents}
    gold = {
        (d.id, r.head, r.tail, r.relation): set(r.evidence) for d in documents for r in d.relations
    }
    kept = {}
    for p in predictions:
        if p[:4] not in kept:
            kept[p[:4]] = set(p.evidence)
    correct = [key for key in kept if key in gold]
    n, g, c = len(kept), len(gold), len(correct)
    p, r = (c / n if n else 0.0), (c / g if g else 0.0)
    seen = 0
    for document, head, tail, relation in correct:
        heads = {m.surface for m in by_id[document].entities[head].mentions}
        tails = {m.surface for m in by_id[document].entities[tail].mentions}
        seen += any((a, b, relation) in facts.triples for a in heads for b in tails)
    p_ign = (c - seen) / (n - seen + 1e-5)
    hits = sum(len(kept[key] & gold[key]) for key in correct)
    pred_evi = sum(len(e) for key, e in kept.items() if key[0] in by_id)
    gold_evi = sum(len(r.evidence) for d in documents for r in d.relations)
    p_evi, r_evi = (hits / pred_evi if pred_evi else 0.0), (hits / gold_evi if gold_evi else 0.0)

    def distance(key):
        document = by_id.get(key[0])
        if document is None or not all(0 <= e < len(document.entities) for e in key[1:3]):
            return None
        a, b = (document.entities[e].mentions for e in key[1:3])
        return min(abs(x.sentence - y.sentence) for x in a for y in b)

    def group(test):
        mine = [sum(map(test, keys)) for keys in (gold, kept, correct)]
        p, r = (mine[2] / mine[1] if mine[1] else 0.0), (mine[2] / mine[0] if mine[0] else 0.0)
        return (*mine, f1_of(p, r))

    def apart(test):
        return group(lambda key: distance(key) is not None and test(distance(key)))

    per_relation = [group(lambda k, name=name: k[3] == name) for name in RELATIONS]
    supported = [values[3] for values in per_relation if values[0]]
    return {
        "f1": f1_of(p, r), "precision": p, "recall": r,
        "ign_f1": f1_of(p_ign, r), "ign_precision": p_ign, "seen_correct": seen,
        "evidence_f1": f1_of(p_evi, r_evi), "evidence_precision": p_evi, "evidence_recall": r_evi,
        "gold": g, "predicted": n, "correct": c, "duplicates": len(predictions) - n,
        "unknown_titles": sum(key[0] not in by_id for key in kept),
        "macro_f1": sum(supported) / len(supported) if supported else 0.0,
        "groups": {
            "intra": apart(lambda d: d == 0),
            "inter": apart(lambda d: d > 0),
            "inter_long": apart(lambda d: d > 5),
            "distance_1": apart(lambda d: d == 1),
            "distance_4_5": apart(lambda d: d in (4, 5)),
            "top": group(lambda key: key[3] in TOP.relations),
            "rest": group(lambda key: key[3] not in TOP.relations),
        },
    }  # fmt: skip


@given(corpora(), predicted)
@settings(max_examples=300, deadline=None)
def test_equal_to_the_definition(made, predictions):
    documents, facts = made
    scores = score(predictions, Gold.compile(documents, facts), [TOP, TOP.others("rest")])
    flat, expected = scores.to_dict(), slow(predictions, documents, facts)
    groups = expected.pop("groups")
    has_evidence = any(d.relations for d in documents)
    assert (scores.evidence is not None) == has_evidence
    for name, value in expected.items():
        if has_evidence or not name.startswith("evidence"):
            assert flat[name] == pytest.approx(value, abs=1e-12), name
    for name, values in groups.items():
        rates = scores.groups[name]
        assert (rates.gold, rates.predicted, rates.correct) == values[:3], name
        assert rates.f1 == pytest.approx(values[3], abs=1e-12), name


@given(corpora(), predicted, st.randoms())
@settings(max_examples=150, deadline=None)
def test_properties(made, predictions, random):
    documents, facts = made
    gold = Gold.compile(documents, facts)
    scores = score(predictions, gold, [TOP, TOP.others("rest")])
    p, r = scores.precision, scores.recall
    assert scores.f1 == pytest.approx(2 * p * r / (p + r) if p + r else 0.0, abs=1e-15)
    assert scores.ign_f1["some"] <= scores.f1
    assert scores.ign_precision["some"] <= scores.precision

    # duplicates after the first do not matter, whatever their evidence is
    again = [prediction._replace(evidence=(3,)) for prediction in predictions]
    repeated = score(predictions + again, gold, [TOP, TOP.others("rest")]).to_dict()
    assert repeated.pop("duplicates") == scores.duplicates + len(predictions)
    assert repeated == {k: v for k, v in scores.to_dict().items() if k != "duplicates"}

    # nor does the order of distinct predictions
    distinct = list({prediction[:4]: prediction for prediction in predictions}.values())
    shuffled = random.sample(distinct, len(distinct))
    assert score(shuffled, gold).to_dict() == score(distinct, gold).to_dict()


@given(corpora(), predicted)
@settings(max_examples=100, deadline=None)
def test_groups_partition_the_counts(made, predictions):
    documents, _ = made
    known = {d.id for d in documents}
    placed = [p for p in predictions if p.document in known and 0 <= p.head < 4]
    scores = score(placed, documents, [TOP, TOP.others("rest")])
    bins = ("distance_0", "distance_1", "distance_2", "distance_3", "distance_4_5", "distance_6_up")
    for names in (("intra", "inter"), bins, ("top", "rest")):
        for count in ("gold", "predicted", "correct"):
            parts = [getattr(scores.groups[name], count) for name in names]
            assert sum(parts) == getattr(scores.overall, count)
    relations = scores.relations.values()
    assert (
        sum(r.predicted for r in relations) + scores.unknown_relations == scores.overall.predicted
    )
    assert sum(r.correct for r in relations) == scores.overall.correct


@pytest.fixture
def documents():
    mentions = [[(0, "A")], [(0, "B"), (3, "B2")], [(8, "C")]]
    labels = (Relation(0, 1, "P1", (0,)), Relation(0, 2, "P2", (0, 8)), Relation(1, 2, "P1", ()))
    return [make_document(0, mentions, labels), make_document(1, mentions, labels[:1])]


def test_precision_of_relation_groups_right_and_published(documents):
    predictions = [
        Prediction("d0", 0, 1, "P1"),
        Prediction("d0", 1, 0, "P1"),
        Prediction("d0", 0, 2, "P2"),
        Prediction("d0", 2, 0, "P2"),
    ]
    top = score(predictions, documents, [most_frequent(documents, 1)]).groups["top_1"]
    assert (top.precision, top.precision_over_all_predictions) == (0.5, 0.25)
    assert top.recall == pytest.approx(1 / 3)
    assert top.f1_over_all_predictions < top.f1


def test_frequent_relation_that_the_gold_lacks_is_still_in_its_set(documents):
    lonely = [Prediction("d0", 0, 1, "P495"), Prediction("d0", 0, 1, "P1")]
    scores = score(lonely, documents, [DOCRED_FREQUENT, DOCRED_FREQUENT.others("long_tail")])
    assert scores.groups["frequent"].predicted == 1
    assert scores.groups["long_tail"].predicted == 1
    assert scores.unknown_relations == 1


def test_most_frequent_breaks_ties_by_name(documents):
    assert most_frequent(documents, 1).relations == {"P1"}
    assert most_frequent(Gold.compile(documents), 2).relations == {"P1", "P2"}
    tied = [replace(documents[0], relations=(Relation(0, 1, "b"), Relation(0, 1, "a")))]
    assert most_frequent(tied, 1).relations == {"a"}


def test_no_prediction_is_a_score_of_zero(documents):
    scores = score([], Gold.compile(documents, Facts("f", frozenset())))
    assert (scores.f1, scores.precision, scores.recall, scores.ign_f1["f"]) == (0, 0, 0, 0)
    assert scores.overall.gold == 4


def test_labels_as_predictions_are_perfect(documents):
    scores = score(predictions_of(documents), documents)
    assert (scores.f1, scores.macro_f1, scores.evidence.f1) == (1, 1, 1)


def test_unlabelled_gold_is_refused(documents):
    blind = [replace(d, relations=None) for d in documents]
    gold = Gold.compile(blind)
    assert not gold.can_score
    with pytest.raises(UnlabelledError, match=r"none of the 2 documents has labels.*submission"):
        score([], gold)
    assert issubclass(UnlabelledError, DocreError)
    assert str(pickle.loads(pickle.dumps(UnlabelledError(3)))) == str(UnlabelledError(3))


def test_mixed_gold_scores_the_labelled_documents(documents):
    mixed = [documents[0], replace(documents[1], relations=None)]
    predictions = [Prediction("d0", 0, 1, "P1"), Prediction("d1", 0, 1, "P1")]
    scores = score(predictions, mixed)
    assert (scores.documents, scores.unlabelled_documents, scores.unjudged_predictions) == (1, 1, 1)
    assert (scores.precision, scores.overall.predicted) == (1.0, 1)


def test_labelled_and_empty_is_not_unlabelled(documents):
    empty = [replace(documents[0], relations=())]
    scores = score([Prediction("d0", 0, 1, "P1")], empty)
    assert (scores.f1, scores.overall.gold, scores.documents) == (0, 0, 1)
    assert scores.evidence is None
    assert score([Prediction("d0", 0, 1, "P1", (1, 2))], empty).precision == 0


def test_two_documents_of_one_title_are_refused(documents):
    with pytest.raises(DataError, match="same title"):
        Gold.compile([documents[0], documents[0]])


def test_several_fact_sets_have_a_score_each(documents):
    known = Facts("a", frozenset({("A", "B2", "P1")})), Facts("b", frozenset())
    scores = score(predictions_of(documents), Gold.compile(documents, known))
    assert scores.ign["a"].seen_correct == 2
    assert scores.ign["b"].seen_correct == 0
    flat = scores.to_dict()
    assert flat["ign_f1"] == flat["ign_f1/a"] < flat["ign_f1/b"]
    with pytest.raises(ValueError, match="one name"):
        Gold.compile(documents, [known[0], known[0]])


def test_facts_from_documents_and_from_files_are_equal(documents, tmp_path):
    facts = Facts.from_documents(documents, "train")
    assert ("A", "B2", "P1") in facts.triples
    assert len(facts.triples) == 5
    path = tmp_path / "train.fact"
    path.write_text(json.dumps([list(fact) for fact in facts.triples]))
    read = read_facts(path)
    assert read.triples == facts.triples
    assert read.label.checksum == facts.label.checksum
    assert read.label.name == "train.fact"
    # a file is never known by its name
    path.write_text(json.dumps([["A", "B", "P1"]]))
    assert len(read_facts(path).triples) == 1


@pytest.mark.parametrize("text", ['[["a", "b"]]', '[["a", "b", 3]]', '[["a", "b", "c"]'])
def test_broken_fact_file(tmp_path, text):
    path = tmp_path / "broken.fact"
    path.write_text(text)
    with pytest.raises(DataError, match=r"broken\.fact"):
        read_facts(path)


def test_facts_need_labels(documents):
    with pytest.raises(DataError, match="no labelled document"):
        Facts.from_documents([replace(d, relations=None) for d in documents], "train")


def test_repeated_label_counts_once_with_its_last_evidence(documents):
    labels = (Relation(0, 1, "P1", (0,)), Relation(0, 1, "P1", (3,)))
    gold = Gold.compile([replace(documents[0], relations=labels)])
    scores = score([Prediction("d0", 0, 1, "P1", (0, 3))], gold)
    assert scores.overall.gold == 1
    assert (scores.evidence.gold, scores.evidence.correct) == (2, 1)


def test_conventions(documents):
    predictions = [Prediction("d0", 0, 1, "P1", (0, 1))]
    dummy = score(predictions, documents, convention=Convention(dummy_evidence=True)).evidence
    assert (dummy.gold, dummy.correct) == (4, 1)
    shifted = score(predictions, documents, convention=Convention(evidence_offset=1)).evidence
    assert shifted.gold == score(predictions, documents).evidence.gold + 1


def test_gold_pickles_and_is_not_copied(documents):
    gold = Gold.compile(documents)
    predictions = [Prediction("d0", 0, 1, "P1"), Prediction("new", 0, 1, "new")]
    again = pickle.loads(pickle.dumps(gold))
    assert score(predictions, again).to_dict() == score(predictions, gold).to_dict()
    assert copy.deepcopy(gold) is gold


def test_bootstrap_against_a_loop_over_resamples():
    rng = np.random.default_rng(5)
    documents = [
        make_document(n, [[(0, "A")], [(n % 9, "B")]], (Relation(0, 1, "P1", (0,)),) * (n % 3 > 0))
        for n in range(30)
    ]
    predictions = [Prediction(f"d{n}", 0, 1, "P1", (0, 1)) for n in range(30) if rng.random() < 0.6]
    predictions.append(Prediction("elsewhere", 0, 1, "P1"))
    facts = Facts("f", frozenset({("A", "B", "P1")}))
    scores = score(predictions, Gold.compile(documents, facts))
    intervals = bootstrap(scores.counts, samples=400, seed=3, confidence=0.9)
    weights = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), 400)
    values = []
    for row in weights:
        drawn = [replace(documents[i], id=f"{i}-{j}") for i in range(30) for j in range(row[i])]
        mine = [
            p._replace(document=f"{i}-{j}")
            for p in predictions[:-1]
            for i in [int(p.document[1:])]
            for j in range(row[i])
        ]
        values.append(score([*mine, predictions[-1]], drawn).f1)
    assert intervals["f1"] == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=1e-12)
    assert intervals == bootstrap(scores.counts, samples=400, seed=3, confidence=0.9)
    assert set(intervals) >= {"f1", "precision", "recall", "evidence_f1", "ign_f1/f"}
    low, high = bootstrap(scores.counts, samples=2500)["f1"]
    assert low <= scores.f1 <= high


def test_paired_bootstrap():
    documents = [
        make_document(n, [[(0, "A")], [(0, "B")]], (Relation(0, 1, "P1"),)) for n in range(60)
    ]
    gold = Gold.compile(documents)
    good = [Prediction(f"d{n}", 0, 1, "P1") for n in range(50)]
    poor = [Prediction(f"d{n}", 0, 1, "P1") for n in range(20)]
    a, b = score(good, gold).counts, score(poor, gold).counts
    better = paired_bootstrap(a, b)["f1"]
    assert better.difference == pytest.approx(score(good, gold).f1 - score(poor, gold).f1)
    assert 0 < better.low < better.difference < better.high
    assert better.p_value < 0.01
    assert paired_bootstrap(b, a)["f1"].difference == -better.difference
    assert paired_bootstrap(a, a)["f1"] == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="same documents"):
        paired_bootstrap(a, score(good, documents[:50]).counts)
    with pytest.raises(ValueError, match="samples"):
        bootstrap(a, samples=0)


def test_pair_rates_without_the_first_column():
    labels = [[0, 1, 1], [1, 0, 0], [0, 1, 0]]
    predictions = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    rates = pair_rates(labels, predictions)
    assert (rates.gold, rates.predicted, rates.correct) == (3, 2, 1)
    assert epsilon_f1(rates, 0.0) == pytest.approx((rates.precision, rates.recall, rates.f1))
    assert epsilon_f1(rates)[2] < rates.f1
    assert epsilon_f1(pair_rates(np.zeros((2, 2)), np.zeros((2, 2)))) == (0, 0, 0)


def test_scoring_does_not_import_torch():
    program = "import sys, docre.scoring, docre.baseline; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.fixture(scope="module")
def redocred():
    return read_documents(corpus("redocred/dev_revised.json"))


def test_facts_of_redocred_dev(redocred):
    scores = score([], redocred, [DOCRED_FREQUENT])
    groups = scores.groups
    assert scores.overall.gold == 17284
    counts = [groups[name].gold for name in ("intra", "inter", "inter_long")]
    assert counts == [7982, 9302, 913]
    assert round(100 * groups["frequent"].gold / scores.overall.gold, 1) == 58.3
    assert sum(rates.gold > 0 for rates in scores.relations.values()) == 95


def test_number_of_published_facts():
    label = read_facts(corpus("docred/ref/train_annotated.fact")).label
    assert label.count == 52293
    assert read_facts(corpus("docred/ref/train_ext.fact")).label.count == 25229
