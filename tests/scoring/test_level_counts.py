"""Intervals of joint scores against documents that really are drawn and scored again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docre.scoring import paired_bootstrap
from docre.scoring.joint import ENTITY_LEVELS, LEVELS, score_joint
from tests.test_joint_metrics import make_documents, make_predictions

GOLD = make_documents(11)
PREDICTED = make_predictions(GOLD)
STRANGER = replace(PREDICTED[0], id="of nobody")


def drawn(samples, seed, size):
    """The documents of each resample, as numbers."""
    weights = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), samples)
    return [np.repeat(np.arange(size), row) for row in weights]


def again(numbers, documents):
    """Those documents, each under an id of its own."""
    return [replace(documents[n], id=f"{place}") for place, n in enumerate(numbers)]


def test_counts_add_up():
    scores = score_joint(GOLD, [*PREDICTED, STRANGER])
    for level in LEVELS:
        counts, rates = scores.counts[level], getattr(scores, level).overall
        assert counts.documents == tuple(one.id for one in GOLD)
        assert counts.totals().tolist() == [rates.gold, rates.predicted, rates.correct]
        assert counts.rates(counts.totals()) == {
            "f1": rates.f1,
            "precision": rates.precision,
            "recall": rates.recall,
        }
        alone = [score_joint([g], [p]) for g, p in zip(GOLD, PREDICTED, strict=True)]
        assert counts.table.tolist() == [
            [rates.gold, rates.predicted, rates.correct]
            for rates in (getattr(one, level).overall for one in alone)
        ]


@pytest.mark.parametrize("stranger", [False, True])
def test_intervals_against_documents_drawn_and_scored_again(stranger):
    extra = [STRANGER] if stranger else []
    scores = score_joint(GOLD, [*PREDICTED, *extra])
    intervals = scores.intervals(samples=60, seed=5)
    assert set(intervals) == {
        f"{level}_{key}" for level in LEVELS for key in ("f1", "precision", "recall")
    }
    values = {name: [] for name in intervals}
    for numbers in drawn(60, 5, len(GOLD)):
        made = score_joint(again(numbers, GOLD), [*again(numbers, PREDICTED), *extra]).to_dict()
        for name in intervals:
            values[name].append(made[name])
    for name, ends in intervals.items():
        assert ends == pytest.approx(tuple(np.quantile(values[name], [0.025, 0.975])))
    assert intervals["entity_f1"][0] < intervals["entity_f1"][1]


def test_unlabelled_documents_are_no_part_of_the_relations():
    gold = [replace(one, relations=None) if n < 4 else one for n, one in enumerate(GOLD)]
    scores = score_joint(gold, PREDICTED)
    assert len(scores.counts["entity"].documents) == 11
    assert scores.counts["relation_strict"].documents == tuple(one.id for one in gold[4:])
    labelled = score_joint(gold[4:], PREDICTED[4:]).intervals(50)
    intervals = scores.intervals(50)
    for name in ("relation_strict_f1", "relation_relaxed_recall"):
        assert intervals[name] == labelled[name]
    none = score_joint([replace(one, relations=None) for one in GOLD], PREDICTED).intervals(5)
    assert {name.rpartition("_")[0] for name in none} == set(ENTITY_LEVELS)


def test_two_systems_on_the_same_draws():
    worse = [replace(one, entities=(), relations=()) if n < 6 else one
             for n, one in enumerate(PREDICTED)]  # fmt: skip
    mine, other = score_joint(GOLD, PREDICTED), score_joint(GOLD, worse)
    for level in LEVELS:
        told = paired_bootstrap(mine.counts[level], other.counts[level], samples=40, seed=2)["f1"]
        found = [
            getattr(score_joint(*pair), level).overall.f1
            for pair in ((GOLD, PREDICTED), (GOLD, worse))
        ]
        assert told.difference == pytest.approx(found[0] - found[1])
        differences = []
        for numbers in drawn(40, 2, len(GOLD)):
            truth = again(numbers, GOLD)
            a, b = (
                getattr(score_joint(truth, again(numbers, of)), level).overall.f1
                for of in (PREDICTED, worse)
            )
            differences.append(a - b)
        expected = np.quantile(differences, [0.025, 0.975])
        assert (told.low, told.high) == pytest.approx(tuple(expected))
    with pytest.raises(ValueError, match="same documents"):
        paired_bootstrap(mine.counts["entity"], mine.counts["mention"])


def test_levels_that_are_reported():
    scores = score_joint(GOLD, PREDICTED)
    some = replace(scores, levels=("mention", "relation_strict"))
    flat = some.to_dict(labels=True)
    whole = scores.to_dict(labels=True)
    assert flat.items() < whole.items()
    left_out = ("coreference", "entity", "relation_relaxed", "muc", "b3", "ceaf", "conll")
    left_out += ("repeated_",)
    assert whole.keys() - flat.keys() == {name for name in whole if name.startswith(left_out)}
    assert {name.rpartition("_")[0] for name in some.intervals(5)} == set(some.levels)
