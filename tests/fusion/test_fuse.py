"""Fusion and its threshold, against loops and brute force."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.documents import Document, Relation
from docre.errors import DocreError
from docre.fusion.fuse import Fused, fuse, keep, tune_threshold
from docre.triples import PredictedTriple

NAMES = ("a", "b")
# few values, so that there are ties and sums of zero
MARGINS = st.sampled_from([-11.0, -2.0, -0.5, 0.0, 0.5, 2.0, 12.0])
KEYS = st.tuples(
    st.sampled_from(["d", "e"]), st.integers(0, 1), st.integers(2, 3), st.sampled_from(NAMES)
)
READING = st.lists(st.tuples(KEYS, MARGINS), max_size=14)


def triples(rows, evidence=()):
    return [PredictedTriple(*key, 10 + margin, margin, evidence) for key, margin in rows]


def documents_with(gold):
    return [
        Document(
            name,
            (),
            relations=tuple(Relation(h, t, r) for d, h, t, r in sorted(gold) if d == name),
        )
        for name in ("d", "e")
    ]


@given(READING, READING)
def test_fusion_is_the_rule_for_each_triple(full, pseudo):
    found = fuse(triples(full), triples(pseudo))
    accepted = {one[:4]: one.margin for one in found.accepted}
    undecided = {one[:4]: one.margin for one in found.undecided}
    assert len(accepted) + len(undecided) == len(found.accepted) + len(found.undecided)
    want = {}, {}
    for key in {key for key, _ in full + pseudo}:
        one = [margin for name, margin in full if name == key]
        other = [margin for name, margin in pseudo if name == key]
        if one and other:
            sure = max(one) > 0 and max(other) > 0
            want[0 if sure else 1][key] = max(one) + max(other)
        else:
            want[1][key] = max(one + other) - 10
    assert (accepted, undecided) == want


@given(READING, READING)
def test_neither_the_order_nor_repeats_matter(full, pseudo):
    once = fuse(triples(full), triples(pseudo))
    again = fuse(triples(full[::-1]), iter(triples(pseudo + pseudo[::-1])))
    for one, other in ((once.accepted, again.accepted), (once.undecided, again.undecided)):
        assert sorted(one) == sorted(other)


def test_evidence_and_logit_are_those_of_the_whole_document():
    full = [PredictedTriple("d", 0, 1, "a", 7.0, 1.0, (2, 3))]
    pseudo = [
        PredictedTriple("d", 0, 1, "a", 4.0, 3.0, (5,)),
        PredictedTriple("d", 0, 1, "b", 2.0, 2.0, (5,)),
        PredictedTriple("d", 1, 0, "b", 2.0, 2.0, (5,)),
    ]
    found = fuse(full, pseudo)
    assert found.accepted == (PredictedTriple("d", 0, 1, "a", 7.0, 4.0, (2, 3)),)
    assert found.undecided == (
        PredictedTriple("d", 0, 1, "b", 2.0, -8.0, (2, 3)),
        PredictedTriple("d", 1, 0, "b", 2.0, -8.0, (5,)),
    )


@given(READING, READING, st.lists(MARGINS, min_size=2, max_size=2))
def test_keeping_is_monotone(full, pseudo, thresholds):
    found = fuse(triples(full), triples(pseudo))
    low, high = sorted(thresholds)
    more, fewer = set(keep(found, low)), set(keep(found, high))
    assert set(found.accepted) <= fewer <= more
    assert all(one.margin >= low for one in more - set(found.accepted))
    assert set(keep(found, -math.inf)) == {*found.accepted, *found.undecided}


def f1_of(kept, gold):
    hits = len({one[:4] for one in kept} & gold)
    return 2 * hits / (len(kept) + len(gold))


@given(READING, READING, st.sets(KEYS, min_size=1))
def test_the_tuned_threshold_is_the_best_of_all(full, pseudo, gold):
    found = fuse(triples(full), triples(pseudo))
    documents = documents_with(gold)
    threshold = tune_threshold(found, documents)
    assert math.isfinite(threshold)
    cuts = [-math.inf, math.inf, *(one.margin for one in found.undecided)]
    best = max(f1_of(keep(found, cut), gold) for cut in cuts)
    kept = keep(found, threshold)
    assert f1_of(kept, gold) == pytest.approx(best, abs=1e-12)
    # of several equally good ones it keeps least
    for cut in cuts:
        if f1_of(keep(found, cut), gold) == f1_of(kept, gold):
            assert len(keep(found, cut)) >= len(kept)


@given(READING, READING, st.sampled_from([0.0, 5.0, 10.0, 20.0]), MARGINS)
def test_what_a_reach_leaves_out_needs_a_sure_second_reading(full, pseudo, reach, threshold):
    """A triple of a pair beyond reach is kept only where its pseudo documents are very sure."""
    found = fuse(triples(full), triples(pseudo))
    best_of_pair, proposed, second = {}, set(), {}
    for key, margin in full:
        best_of_pair[key[:3]] = max(margin, best_of_pair.get(key[:3], -math.inf))
        proposed.add(key)
    for key, margin in pseudo:
        second[key] = max(margin, second.get(key, -math.inf))
    for one in keep(found, threshold):
        if best_of_pair.get(one[:3], 0.0) < -reach:
            if one[:4] not in second:  # the whole document alone: below -reach - 10
                assert one.margin < -reach - 10
            elif one[:4] in proposed:
                assert second[one[:4]] > threshold + reach
            else:
                assert second[one[:4]] >= threshold + 10


def test_unlabelled_documents_are_not_tuned_on():
    rows = [("d", "a", 2.0), ("d", "b", -1.0), *(("unlabelled", name, 0.0) for name in "abc")]
    found = Fused((), tuple(PredictedTriple(d, 0, 1, name, 0.0, m) for d, name, m in rows))
    labels = Relation(0, 1, "a"), Relation(0, 1, "b")
    documents = [Document("d", (), relations=labels), Document("unlabelled", (), relations=None)]
    assert tune_threshold(found, documents) == -1.0
    assert tune_threshold(found, documents[:1]) == -1.0
    # labelled and empty they are all wrong
    assert tune_threshold(found, [documents[0], Document("unlabelled", (), relations=())]) == 2.0


@pytest.mark.parametrize("relations", [None, ()])
def test_nothing_to_tune_on(relations):
    with pytest.raises(DocreError, match="tuned on labels, and the documents have none"):
        tune_threshold(Fused((), ()), [Document("d", (), relations=relations)])


def test_nothing_to_decide():
    documents = [Document("d", (), relations=(Relation(0, 1, "a"),))]
    assert tune_threshold(Fused((), ()), documents) == 0.0
    wrong = PredictedTriple("d", 1, 0, "a", 0.0, 2.0)
    threshold = tune_threshold(Fused((), (wrong,)), documents)
    assert 2.0 < threshold < 2.001
    assert keep(Fused((), (wrong,)), threshold) == []
