"""The type-pair baseline finds the best threshold and looks at nothing but types."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from docre.baseline import TypePairBaseline, count_types
from docre.data.reading import read_documents
from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError
from docre.scoring import UnlabelledError, score
from tests.corpora import corpus


def make(number, types, labels, **fields):
    entities = tuple(Entity((Mention(0, 0, 1, kind),), kind) for kind in types)
    relations = tuple(Relation(*label) for label in labels)
    return Document(f"d{number}", (("w",),), entities, relations, **fields)


def random_documents(seed, count=6):
    rng = np.random.default_rng(seed)
    documents = []
    for number in range(count):
        types = rng.choice(list("ABC"), 4)
        labels = {
            (h, t, r)
            for h, t, r in product(range(4), range(4), ("x", "y"))
            if h != t and rng.random() < (0.8 if (types[h], r) == ("A", "x") else 0.15)
        }
        documents.append(make(number, types, sorted(labels)))
    return documents


@pytest.mark.parametrize("seed", range(8))
def test_threshold_is_the_best(seed):
    documents = random_documents(seed)
    baseline = TypePairBaseline.fit(documents)
    found = score([p for d in documents for p in baseline.predict(d)], documents)
    assert found.f1 == pytest.approx(baseline.train_f1, abs=1e-12)
    pairs, labels = count_types(documents)
    shares = {cell: n / pairs[cell[:2]] for cell, n in labels.items()}
    total = sum(labels.values())
    for threshold in set(shares.values()):
        kept = [cell for cell, share in shares.items() if share >= threshold]
        correct = sum(labels[cell] for cell in kept)
        predicted = sum(pairs[cell[:2]] for cell in kept)
        assert 2 * correct / (total + predicted) <= baseline.train_f1 + 1e-12
    assert all(
        shares[(*t, r)] >= baseline.threshold for t, rs in baseline.relations.items() for r in rs
    )


def test_labels_are_not_looked_at():
    documents = random_documents(0)
    baseline = TypePairBaseline.fit(documents)
    blind = replace(documents[0], relations=None)
    assert baseline.predict(blind) == baseline.predict(documents[0])


def test_candidates_bound_the_predictions():
    document = make(0, "AAB", [(0, 2, "x"), (1, 2, "x")], candidates=((0, 2),))
    baseline = TypePairBaseline.fit([document])
    assert [p[:4] for p in baseline.predict(document)] == [("d0", 0, 2, "x")]


def test_unseen_types_have_no_prediction():
    baseline = TypePairBaseline.fit(random_documents(0))
    assert baseline.predict(make(9, "ZZ", [])) == []


def test_nothing_to_learn_from():
    with pytest.raises(UnlabelledError):
        TypePairBaseline.fit([replace(make(0, "AB", []), relations=None)])
    with pytest.raises(DataError, match="no pair"):
        TypePairBaseline.fit([make(0, "AB", [])])


def test_types_alone_do_not_solve_redocred():
    documents = read_documents(corpus("redocred/dev_revised.json"))
    baseline = TypePairBaseline.fit(documents[:400])
    held_out = documents[400:]
    f1 = score([p for d in held_out for p in baseline.predict(d)], held_out).f1
    assert 0.02 < f1 < 0.4
