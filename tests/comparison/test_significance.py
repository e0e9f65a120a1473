"""The bootstrap over documents and seeds, against that of two systems and a slow loop."""

from random import Random
from statistics import fmean

import numpy as np
import pytest

from docre.comparison.significance import difference, holm, mean_over_seeds, resampled_scores
from docre.scoring import paired_bootstrap
from tests.comparison.folders import DOCUMENTS, joint_scores_of, scores_of

SAMPLES, SEED = 1200, 3  # more than are drawn at once


def triples(scores):
    return {"triples": scores.counts}


def test_two_runs_are_compared_as_two_systems():
    first, second = scores_of(0.6, 1), scores_of(0.5, 2)
    drawn = resampled_scores([triples(first), triples(second)], SAMPLES, SEED)
    expected = paired_bootstrap(first.counts, second.counts, SAMPLES, SEED)
    for score, name in {"f1": "f1", "recall": "recall", "ign_f1": "ign_f1/train.json"}.items():
        observed = first.to_dict()[score] - second.to_dict()[score]
        got = difference(observed, drawn[0][score], drawn[1][score])
        assert got == pytest.approx(expected[name], abs=1e-12)
    assert 0.0 < expected["f1"].p_value < 1.0


def test_two_joint_runs_are_compared_level_by_level():
    first, second = joint_scores_of(0.8, 1), joint_scores_of(0.7, 2)
    drawn = resampled_scores([first.counts, second.counts], 200, SEED)
    for level in first.counts:
        expected = paired_bootstrap(first.counts[level], second.counts[level], 200, SEED)["f1"]
        name = f"{level}_f1"
        observed = first.to_dict()[name] - second.to_dict()[name]
        got = difference(observed, drawn[0][name], drawn[1][name])
        assert got == pytest.approx(expected, abs=1e-12)


def f1_of(counts, documents):
    """F1 over documents, some of them several times, counted one by one."""
    gold = predicted = correct = 0
    for number in documents:
        row = counts.table[number]
        gold, predicted, correct = gold + row[0], predicted + row[1], correct + row[2]
    return 2 * correct / (gold + predicted)


def test_several_seeds_against_a_slow_loop():
    samples, seeds = 60, [1, 2, 5]
    rows = [[scores_of(quality, s).counts for s in seeds] for quality in (0.6, 0.5)]
    # what is drawn: documents for all runs, seeds for all rows that have these seeds
    size = len(DOCUMENTS)
    documents = np.random.default_rng(SEED).multinomial(size, np.full(size, 1 / size), samples)
    chosen = np.random.default_rng([SEED, 1, *seeds]).integers(3, size=(3, samples))
    expected = []
    for k in range(samples):
        drawn = [d for d in range(size) for _ in range(documents[k, d])]
        means = [np.mean([f1_of(row[run], drawn) for run in chosen[:, k]]) for row in rows]
        expected.append(means[0] - means[1])
    scores = resampled_scores([{"triples": run} for row in rows for run in row], samples, SEED)
    each = [
        mean_over_seeds([one["f1"] for one in part], seeds, samples, SEED, number)
        for number, part in enumerate((scores[:3], scores[3:]))
    ]
    assert each[0] - each[1] == pytest.approx(expected, abs=1e-12)


def test_seeds_that_are_not_the_same_are_drawn_apart():
    runs = [np.full(500, value) for value in (0.1, 0.2, 0.3)]
    same = mean_over_seeds(runs, [1, 2, 3], 500, 0, 0)
    assert np.array_equal(same, mean_over_seeds(runs, [1, 2, 3], 500, 0, 1))
    for seeds, number in (([4, 5, 6], 0), ([None, 2, 3], 0), ([None, None, None], 1)):
        assert not np.array_equal(same, mean_over_seeds(runs, seeds, 500, 0, number))
    unknown = [mean_over_seeds(runs, [None] * 3, 500, 0, number) for number in (0, 1)]
    assert not np.array_equal(*unknown)
    # the spread of a mean of three draws of three values
    assert same.std() == pytest.approx(np.std([0.1, 0.2, 0.3]) / np.sqrt(3), rel=0.15)


def test_seeds_that_scatter_make_a_difference_doubtful():
    quiet = [np.full(2000, value) for value in (0.500, 0.501, 0.502)]
    wild = [np.full(2000, value) for value in (0.45, 0.50, 0.553)]
    other = np.full(2000, 0.48)
    sure = difference(0.021, mean_over_seeds(quiet, [1, 2, 3], 2000, 0, 0), other)
    unsure = difference(0.021, mean_over_seeds(wild, [1, 2, 3], 2000, 0, 0), other)
    assert sure.p_value < 0.001 < 0.1 < unsure.p_value
    assert unsure.low < 0 < sure.low


def test_nothing_is_drawn_for_other_documents():
    usual, fewer = scores_of(0.6, 1), scores_of(0.6, 1, documents=DOCUMENTS[:30])
    drawn = resampled_scores([{}, triples(usual), triples(fewer), triples(usual)], 10, 0)
    assert [bool(one) for one in drawn] == [False, True, False, True]


def test_equal_runs_do_not_differ():
    drawn = resampled_scores([triples(scores_of(0.6, 1))] * 2, 100, 0)
    assert difference(0.0, drawn[0]["f1"], drawn[1]["f1"]) == (0.0, 0.0, 0.0, 1.0)


def test_holm():
    # worked out by hand: 4 x 0.01, 3 x 0.02, 2 x 0.03 but not below the one before, 0.3
    p_values = {"a": 0.02, "b": 0.3, "c": 0.01, "d": 0.03}
    assert holm(p_values) == pytest.approx({"c": 0.04, "a": 0.06, "d": 0.06, "b": 0.3})
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1.0, "a": 1.0}
    assert holm({}) == {}


def test_chance_alone_is_seldom_significant():
    """Two equal systems whose seeds are of different quality: documents alone would mislead."""
    trials, runs = 60, 3
    with_seeds = documents_alone = 0
    for trial in range(trials):
        each = []
        for number in range(2 * runs):
            quality = 0.6 + 0.06 * Random(f"{trial} {number}").gauss(0, 1)
            each.append(scores_of(quality, trial))
        drawn = resampled_scores([triples(one) for one in each], 200, trial)
        f1 = [one["f1"] for one in drawn]
        observed = fmean(one.f1 for one in each[:runs]) - fmean(one.f1 for one in each[runs:])
        rows = f1[:runs], f1[runs:]
        means = [mean_over_seeds(row, range(runs), 200, trial, k) for k, row in enumerate(rows)]
        with_seeds += difference(observed, *means).p_value < 0.05
        fixed = [np.mean(row, axis=0) for row in rows]
        documents_alone += difference(observed, *fixed).p_value < 0.05
    assert with_seeds <= 0.05 * trials
    assert documents_alone > 0.1 * trials
