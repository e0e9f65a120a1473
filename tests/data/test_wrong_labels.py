"""Wrong labels against sets made by a loop over documents."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from docre.data.collate import Collate
from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.features import Featurizer
from docre.data.label_noise import LabelNoise, apply_noise, class_priors
from docre.data.pair_numbers import PairNumbers
from docre.data.wrong_labels import draw_wrong_labels
from docre.errors import DocreError
from tests.toy import RELATIONS, TYPES, document, pieces


def typed(made, keep):
    pairs = tuple(pair for k, pair in enumerate(made.pairs()) if keep(k))
    labels = tuple(r for r in made.relations if (r.head, r.tail) in pairs)
    return replace(made, relations=labels, candidates=pairs)


DOCUMENTS = [
    document(100, entities=0),
    *(document(seed) for seed in range(30)),
    document(102, entities=5, labelled=False),
    *(typed(document(seed, entities=5), lambda k: k % 3) for seed in range(200, 220)),
    document(101, entities=1),
    typed(document(103, entities=4), lambda k: False),
    *(document(seed, entities=7) for seed in range(300, 310)),
    document(104, entities=6, labelled=False),
]
PAIRS = [
    (d, *pair) for d, m in enumerate(DOCUMENTS) if m.relations is not None for pair in m.pairs()
]
TRUE = [
    (d, label.head, label.tail, RELATIONS.index(label.relation))
    for d, made in enumerate(DOCUMENTS)
    for label in made.relations or ()
]


def table_of(documents):
    rows = Featurizer(pieces(), RELATIONS, TYPES)(documents)
    # as a cache is written: in several portions
    halves = (rows[: len(rows) // 2], rows[len(rows) // 2 :])
    return FeatureTable.from_batches([to_record_batch(half) for half in halves])


@pytest.fixture(scope="module")
def table():
    return table_of(DOCUMENTS)


def noisy(table, **options):
    return apply_noise(table, LabelNoise(**options), RELATIONS)


def added(table):
    return list(zip(*(column.tolist() for column in table.added), strict=True))


def told(table, chosen):
    """Return the labels of a batch with rows of the data set, heads and tails in their document."""
    batch = Collate()(table[chosen])
    row = batch.document_index[batch.pair_doc]
    first = batch.entity_offset[batch.pair_doc]
    columns = row, batch.pair_head - first, batch.pair_tail - first
    columns = (
        *(column[batch.label_pair].tolist() for column in columns),
        batch.label_relation.tolist(),
    )
    return list(zip(*columns, strict=True))


def test_pairs_are_numbered_as_a_loop_lists_them(table):
    numbers = PairNumbers(table)
    assert len(numbers) == len(PAIRS)
    assert list(zip(*numbers.at(np.arange(len(PAIRS))), strict=True)) == PAIRS
    assert numbers.number(*np.array(PAIRS).T).tolist() == list(range(len(PAIRS)))


@pytest.mark.parametrize("fraction", [0.004, 0.2, 1.0, 2.5])
def test_wrong_labels_are_as_many_as_asked_each_once_and_none_is_true(table, fraction):
    wrong = added(noisy(table, wrong_labels=fraction, seed=3))
    assert len(wrong) == len(set(wrong)) == round(fraction * len(TRUE))
    assert set(wrong).isdisjoint(TRUE)
    assert {label[:3] for label in wrong} <= set(PAIRS)


def test_larger_fractions_add_to_smaller_ones(table):
    drawn = [set(added(noisy(table, wrong_labels=f, seed=1))) for f in (0.1, 0.11, 0.5, 2.0)]
    assert drawn[0] < drawn[1] < drawn[2] < drawn[3]
    assert set(added(noisy(table, wrong_labels=0.5, seed=1))) == drawn[2]
    assert len(set(added(noisy(table, wrong_labels=0.5, seed=2))) & drawn[2]) < len(drawn[2]) / 2


def test_other_noise_changes_none_of_them(table):
    wrong = added(noisy(table, wrong_labels=0.7))
    half = noisy(table, wrong_labels=0.7, keep_labels=0.5)
    assert added(half) == wrong
    assert (half.keep_label == noisy(table, keep_labels=0.5).keep_label).all()
    dropped = noisy(table, wrong_labels=0.7, drop_relations=["works_for"])
    gone = RELATIONS.index("works_for")
    assert added(dropped) == [label for label in wrong if label[3] != gone]
    assert gone not in dropped.seen_relations()
    few = noisy(table, wrong_labels=0.7, shots=3)
    assert few.ids == noisy(table, shots=3).ids
    seen = [label for label in (*TRUE, *wrong) if label[0] in few.rows]
    assert Counter(few.seen_relations().tolist()) == Counter(label[3] for label in seen)
    assert sorted(told(few, range(len(few)))) == sorted(seen)


def test_relations_are_as_frequent_as_true_ones_and_pairs_equally_likely():
    """Chi-square over many seeds, one label each."""
    made = [document(seed, entities=3) for seed in (1, 2, 5, 6)]
    table = table_of(made)
    true = Counter(RELATIONS.index(label.relation) for d in made for label in d.relations)
    assert len(set(true.values())) > 1  # else equal chances would pass, too
    seeds, total = 3000, sum(true.values())
    fraction = 1 / total
    counts = Counter(
        label
        for seed in range(seeds)
        for label in zip(
            *(c.tolist() for c in draw_wrong_labels(table, fraction, seed, RELATIONS)), strict=True
        )
    )
    assert sum(counts.values()) == seeds
    chi, places = 0.0, 0
    pairs = sum(d.num_pairs for d in made)
    for relation, count in true.items():
        expected = seeds * count / total / (pairs - count)
        found = [n for label, n in counts.items() if label[3] == relation]
        chi += sum((n - expected) ** 2 / expected for n in found)
        chi += expected * (pairs - count - len(found))
        places += pairs - count
    assert abs(chi - (places - 1)) < 5 * (2 * (places - 1)) ** 0.5


def test_all_places_can_be_taken_and_no_more():
    made = [document(seed, entities=3) for seed in range(40)]
    one = [
        replace(m, relations=tuple(r for r in m.relations if r.relation == "born_in")) for m in made
    ]
    table, labels = table_of(one), sum(len(m.relations) for m in one)
    free = sum(m.num_pairs for m in one) - labels
    full = noisy(table, wrong_labels=free / labels)
    assert len(set(added(full))) == free
    assert len(set(told(full, range(40)))) == 40 * 6  # each pair of each document has its label
    with pytest.raises(DocreError, match=r"noise\.wrong_labels: .* more than the"):
        noisy(table, wrong_labels=(free + 1) / labels)


def test_a_relation_without_places_is_named():
    made = [document(seed, entities=2) for seed in range(30)]
    names = ["born_in"] * 9 + ["works_for"]
    made = [
        replace(m, relations=tuple(replace(r, relation=names[k % 10]) for r in m.relations[:1]))
        for k, m in enumerate(made)
    ]
    table = table_of(made)
    labels = sum(len(m.relations) for m in made)
    places = 2 * 60 - labels
    with pytest.raises(DocreError, match=r"noise\.wrong_labels: .* of born_in"):
        noisy(table, wrong_labels=0.9 * places / labels)


def test_batches_have_them_behind_the_true_labels_and_evidence_stays(table):
    half = noisy(table, keep_labels=0.5, seed=6)
    both = noisy(table, keep_labels=0.5, wrong_labels=0.8, seed=6)
    wrong = added(both)
    for chosen in (list(range(len(DOCUMENTS))), [40, 3, 52, 17], [0], [5, 5]):
        plain, batch = Collate()(half[chosen]), Collate()(both[chosen])
        count = len(plain.label_pair)
        assert batch.label_pair[:count].tolist() == plain.label_pair.tolist()
        assert batch.label_relation[:count].tolist() == plain.label_relation.tolist()
        assert batch.evidence_label.tolist() == plain.evidence_label.tolist()
        assert batch.evidence_sentence.tolist() == plain.evidence_sentence.tolist()
        assert batch.pair_head.tolist() == plain.pair_head.tolist()
        more = [label for row in chosen for label in wrong if label[0] == row]
        assert told(both, chosen)[count:] == more
    some = both.select(np.array([7, 33, 2]))
    assert told(some, [1]) == told(both, [33])


def test_labelled_pairs_first_take_wrong_labels_for_labels(table):
    both = noisy(table, wrong_labels=0.8)
    with pytest.warns(UserWarning, match="gold_first"):
        first = Collate(pair_order="gold_first")
    for row in (4, 45):
        batch = first(both[[row]])
        labelled = {label[:3] for label in (*TRUE, *added(both)) if label[0] == row}
        assert sorted(batch.label_pair.unique().tolist()) == list(range(len(labelled)))
        pairs = zip(batch.pair_head.tolist(), batch.pair_tail.tolist(), strict=True)
        assert {(row, *pair) for pair in list(pairs)[: len(labelled)]} == labelled


def test_priors_count_what_training_sees(table):
    both = noisy(table, keep_labels=0.4, wrong_labels=0.6)
    kept = [label[3] for label, keep in zip(TRUE, both.keep_label, strict=True) if keep]
    counts = Counter([*kept, *(label[3] for label in added(both))])
    expected = [counts[k] / len(PAIRS) for k in range(len(RELATIONS))]
    np.testing.assert_allclose(class_priors(both, len(RELATIONS)), expected)
    assert sum(counts.values()) == round(0.4 * len(TRUE)) + round(0.6 * len(TRUE))


def test_without_labels_nothing_is_added():
    table = table_of([document(seed, entities=3, labelled=False) for seed in range(3)])
    assert added(noisy(table, wrong_labels=0.5)) == []
    assert Collate()(noisy(table, wrong_labels=0.5)[[0, 2]]).label_pair.tolist() == []


def types_of(made, head, tail):
    return made.entities[head].type, made.entities[tail].type


def admitted(documents):
    """Return the places, by a loop, where a wrong label of the same types can be."""
    true = {
        (d, label.head, label.tail, label.relation)
        for d, made in enumerate(documents)
        for label in made.relations or ()
    }
    seen = {(name, types_of(documents[d], head, tail)) for d, head, tail, name in true}
    return {
        (d, *pair, RELATIONS.index(name))
        for d, made in enumerate(documents)
        if made.relations is not None
        for pair in made.pairs()
        for name, types in seen
        if types == types_of(made, *pair) and (d, *pair, name) not in true
    }


def test_wrong_labels_of_the_same_types_are_where_a_loop_says(table):
    wrong = added(noisy(table, wrong_labels=1.0, wrong_pairs="same_types", seed=3))
    assert len(wrong) == len(set(wrong)) == len(TRUE)
    assert set(wrong) <= admitted(DOCUMENTS)
    assert not set(added(noisy(table, wrong_labels=1.0))) <= admitted(DOCUMENTS)
    more = added(noisy(table, wrong_labels=1.1, wrong_pairs="same_types", seed=3))
    assert set(wrong) < set(more)


def test_all_places_of_the_same_types_are_drawn_and_no_more():
    """One relation: as many as there are places take them all."""
    made = [document(seed, entities=3) for seed in range(12)]
    one = [
        replace(m, relations=tuple(r for r in m.relations if r.relation == "born_in")) for m in made
    ]
    table, labels = table_of(one), sum(len(m.relations) for m in one)
    expected = admitted(one)
    assert 0 < len(expected) < sum(m.num_pairs for m in one) - labels
    full = noisy(table, wrong_labels=len(expected) / labels, wrong_pairs="same_types")
    assert set(added(full)) == expected
    with pytest.raises(DocreError, match=r"noise\.wrong_labels: .* of born_in are more than"):
        noisy(table, wrong_labels=(len(expected) + 1) / labels, wrong_pairs="same_types")
