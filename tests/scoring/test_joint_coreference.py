"""MUC, B3 and CEAF-e against slow definitions and against examples from the literature."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.scoring.coreference import owners, score_coreference


def numbers(gold, predicted):
    """Recall, precision, F1 of MUC, B3, CEAF-e."""
    scores = score_coreference([(gold, predicted)])
    return [(one.recall, one.precision, one.f1) for one in (scores.muc, scores.b3, scores.ceaf_e)]


def words(*clusters):
    return [set(cluster) for cluster in clusters]


def test_pradhan_2014():
    """The worked example of the reference scorer's paper: mentions of one side only."""
    gold, predicted = words("abc", "defg"), words("ab", "cd", "fghi")
    muc, b3, ceaf = numbers(gold, predicted)
    assert muc == pytest.approx((2 / 5, 2 / 5, 0.4))
    assert b3 == pytest.approx((35 / 84, 4 / 8, 2 * 35 / 84 * 0.5 / (35 / 84 + 0.5)))
    assert ceaf == pytest.approx((1.3 / 2, 1.3 / 3, 0.52))
    assert score_coreference([(gold, predicted)]).conll_f1 == pytest.approx(0.4582, abs=1e-4)


LUO = words("12345", "67", "89ABC")


# Luo 2005, table 1: one gold and four systems
@pytest.mark.parametrize(
    ("system", "muc", "b3", "ceaf"),
    [
        (words("12345", "6789ABC"), 0.947, 0.865, 0.733),
        (words("1234589ABC", "67"), 0.947, 0.737, 0.667),
        (words("123456789ABC"), 0.900, 0.545, 0.294),
        (words(*"123456789ABC"), 0.0, 0.400, 0.178),
    ],
)
def test_luo_2005(system, muc, b3, ceaf):
    found = [f1 for _, _, f1 in numbers(LUO, system)]
    assert found == pytest.approx([muc, b3, ceaf], abs=6e-4)


def test_bagga_and_baldwin_1998():
    """Two errors that MUC cannot tell apart: joining a small cluster and joining a large one."""
    small, large = words("12345", "6789ABC"), words("1234589ABC", "67")
    assert numbers(LUO, small)[0] == numbers(LUO, large)[0] == pytest.approx((1, 0.9, 18 / 19))
    assert numbers(LUO, small)[1][:2] == pytest.approx((1, 0.76), abs=5e-3)
    assert numbers(LUO, large)[1][:2] == pytest.approx((1, 0.58), abs=5e-3)


def test_vilain_1995():
    """Links are counted as few as are needed, not all pairs."""
    assert numbers(words("abcd"), words("ab", "cd"))[0][:2] == pytest.approx((2 / 3, 1))
    assert numbers(words("ab", "cd"), words("abcd"))[0][:2] == pytest.approx((1, 2 / 3))


def test_singletons_are_kept():
    muc, b3, ceaf = numbers(words("a", "bc"), words("a", "b"))
    assert muc == (0, 0, 0)
    assert b3[:2] == pytest.approx(((1 + 1 / 2) / 3, 1))
    assert ceaf[:2] == pytest.approx(((1 + 2 / 3) / 2, (1 + 2 / 3) / 2))


def slow_muc(gold, predicted):
    """Links found and there, from the pieces that the other side cuts a cluster into."""
    found = there = 0
    for cluster in gold:
        pieces = {
            next((n for n, other in enumerate(predicted) if mention in other), f"alone {mention}")
            for mention in cluster
        }
        found += len(cluster) - len(pieces)
        there += len(cluster) - 1
    return found, there


def slow_b3(gold, predicted):
    """Mention by mention."""
    total = count = 0
    for mention in (m for cluster in gold for m in cluster):
        [mine] = [cluster for cluster in gold if mention in cluster]
        for other in (cluster for cluster in predicted if mention in cluster):
            total += len(mine & other) / len(mine)
        count += 1
    return total, count


def slow_ceaf(gold, predicted):
    """All alignments."""
    few, many = sorted([gold, predicted], key=len)
    best = max(
        sum(2 * len(a & b) / (len(a) + len(b)) for a, b in zip(few, chosen, strict=True))
        for chosen in permutations(many, len(few))
    )
    return best, len(gold)


@st.composite
def partitions(draw):
    """Some of nine mentions in at most six clusters."""
    places = draw(st.lists(st.integers(-1, 5), min_size=9, max_size=9))
    clusters = [{m for m, place in enumerate(places) if place == number} for number in range(6)]
    return [cluster for cluster in clusters if cluster]


@settings(deadline=None)  # the first example imports scipy
@given(st.lists(st.tuples(partitions(), partitions()), max_size=3))
def test_equal_to_the_definitions(documents):
    scores = score_coreference(documents)
    for slow, rates in ((slow_muc, scores.muc), (slow_b3, scores.b3), (slow_ceaf, scores.ceaf_e)):
        recall = [slow(gold, predicted) for gold, predicted in documents]
        precision = [slow(predicted, gold) for gold, predicted in documents]
        assert rates.gold_credit == pytest.approx(sum(found for found, _ in recall))
        assert rates.gold == sum(there for _, there in recall)
        assert rates.predicted_credit == pytest.approx(sum(found for found, _ in precision))
        assert rates.predicted == sum(there for _, there in precision)
        assert rates.recall == pytest.approx(rates.gold_credit / rates.gold if rates.gold else 0)
    assert (scores.repeated_gold, scores.repeated_predicted) == (0, 0)
    mean = (scores.muc.f1 + scores.b3.f1 + scores.ceaf_e.f1) / 3
    assert scores.conll_f1 == scores.to_dict()["conll_f1"] == pytest.approx(mean)


@settings(deadline=None)  # the first example imports scipy
@given(st.lists(st.frozensets(st.integers(0, 6), min_size=1), max_size=5), st.randoms())
def test_overlapping_clusters(clusters, random):
    """The largest has the mention, whatever the order; the rest is counted, never lost."""
    owner, repeated = owners(clusters)
    shuffled = list(clusters)
    random.shuffle(shuffled)
    assert owners(shuffled) == (owner, repeated)
    assert owner.keys() == frozenset().union(*clusters)
    assert len(owner) + repeated == sum(map(len, clusters))
    assert set(owner.values()) == set(range(len(set(owner.values()))))
    for mention, number in owner.items():
        largest = max(len(cluster) for cluster in clusters if mention in cluster)
        assert any(
            len(cluster) == largest and mention in cluster
            for cluster in clusters
            if {m for m, other in owner.items() if other == number} <= cluster
        )
    scores = score_coreference([(clusters, shuffled)])
    perfect = float(bool(clusters))
    assert (scores.b3.f1, scores.ceaf_e.f1) == pytest.approx((perfect, perfect))
    assert scores.repeated_gold == scores.repeated_predicted == repeated
