"""Hidden labels, dropped relations, few-shot documents and class priors."""

from collections import Counter

import numpy as np
import pytest

from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.features import Featurizer
from docre.data.label_noise import LabelNoise, apply_noise, class_priors, kept_at_random
from docre.errors import DocreError
from tests.toy import RELATIONS, TYPES, document, pieces

DOCUMENTS = [document(seed, entities=4) for seed in range(120)]


@pytest.fixture(scope="module")
def table():
    rows = Featurizer(pieces(), RELATIONS, TYPES)(DOCUMENTS)
    return FeatureTable.from_batches([to_record_batch(rows)])


def test_a_fraction_is_kept_exactly_and_smaller_ones_are_nested():
    kept = {f: kept_at_random(1000, f, seed=4) for f in (0.0, 0.19, 0.5, 1.0)}
    assert [int(k.sum()) for k in kept.values()] == [0, 190, 500, 1000]
    assert not (kept[0.19] & ~kept[0.5]).any()
    assert (kept_at_random(1000, 0.5, 4) == kept[0.5]).all()
    assert (kept_at_random(1000, 0.5, 5) != kept[0.5]).any()


def test_noise_changes_labels_and_nothing_else(table):
    noisy = apply_noise(table, LabelNoise(keep_labels=0.3, seed=1), RELATIONS)
    total = len(table.labels()[1])
    assert len(noisy.seen_relations()) == round(0.3 * total)
    assert (noisy.num_pairs == table.num_pairs).all()
    assert noisy.ids == table.ids
    assert apply_noise(table, LabelNoise(), RELATIONS) is table


def test_dropped_relations_are_all_hidden(table):
    noisy = apply_noise(table, LabelNoise(drop_relations=["works_for"]), RELATIONS)
    gone = RELATIONS.index("works_for")
    before, after = Counter(table.seen_relations()), Counter(noisy.seen_relations())
    assert gone in before
    del before[gone]
    assert after == before
    with pytest.raises(ValueError, match="no_such"):
        apply_noise(table, LabelNoise(drop_relations=["no_such"]), RELATIONS)


def test_few_shot_documents_are_as_few_as_it_takes(table):
    few = apply_noise(table, LabelNoise(shots=5, seed=2), RELATIONS)
    counts = Counter(few.seen_relations().tolist())
    assert 0 < len(few) < len(table) / 2
    assert all(counts[relation] >= 5 for relation in range(len(RELATIONS)))
    kept = {d.id: d for d in DOCUMENTS}
    assert len(few.seen_relations()) == sum(len(kept[name].relations) for name in few.ids)
    again = apply_noise(table, LabelNoise(shots=5, seed=2), RELATIONS)
    assert again.ids == few.ids
    assert apply_noise(table, LabelNoise(shots=5, seed=3), RELATIONS).ids != few.ids


def test_priors_are_counts_over_pairs(table):
    counts = Counter(label.relation for d in DOCUMENTS for label in d.relations)
    pairs = sum(d.num_pairs for d in DOCUMENTS)
    expected = [counts[name] / pairs for name in RELATIONS]
    np.testing.assert_allclose(class_priors(table, len(RELATIONS)), expected)
    half = apply_noise(table, LabelNoise(keep_labels=0.5), RELATIONS)
    assert class_priors(half, len(RELATIONS)).sum() == pytest.approx(sum(expected) / 2, rel=0.02)


def test_priors_leave_out_documents_that_were_never_labelled(table):
    unlabelled = [document(seed, entities=9, labelled=False) for seed in range(20)]
    rows = Featurizer(pieces(), RELATIONS, TYPES)(DOCUMENTS + unlabelled)
    mixed = FeatureTable.from_batches([to_record_batch(rows)])
    np.testing.assert_allclose(class_priors(mixed, 3), class_priors(table, 3))


def test_shots_do_not_look_for_dropped_relations(table):
    noise = LabelNoise(shots=3, drop_relations=["born_in", "works_for"])
    few = apply_noise(table, noise, RELATIONS)
    assert set(few.seen_relations()) == {RELATIONS.index("located_in")}
    with pytest.raises(DocreError, match="no training document is left"):
        apply_noise(table, LabelNoise(shots=3, drop_relations=list(RELATIONS)), RELATIONS)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"keep_labels": 1.1}, "keep_labels"),
        ({"shots": 0}, "shots"),
        ({"wrong_labels": -0.1}, "wrong_labels"),
        ({"wrong_labels": float("nan")}, "wrong_labels"),
        ({"wrong_labels": float("inf")}, "wrong_labels"),
        ({"wrong_pairs": "some"}, "wrong_pairs must be any or same_types, not 'some'"),
    ],
)
def test_impossible_settings_are_refused(options, field):
    with pytest.raises(ValueError, match=field):
        LabelNoise(**options)
