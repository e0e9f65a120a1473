"""The metric equals the scorer, on one process and on two."""

from __future__ import annotations

import copy
import pickle
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from docre.documents import Document, Entity, Mention, Relation
from docre.metrics import DocREScore
from docre.scoring import Facts, Gold, Prediction, RelationGroup, UnlabelledError, score

SETS = (RelationGroup("first", frozenset({"P0", "never"})),)


def make_documents(count, seed=0):
    rng = np.random.default_rng(seed)
    documents = []
    for number in range(count):
        entities = tuple(
            Entity((Mention(int(rng.integers(8)), 0, 1, "T", f"name{rng.integers(4)}"),))
            for _ in range(4)
        )
        labels = {
            (int(h), int(t), f"P{r}") for h, t, r in rng.integers(0, 4, (rng.integers(1, 6), 3))
        }
        relations = tuple(Relation(*key, (int(rng.integers(3)),)) for key in sorted(labels))
        documents.append(Document(f"d{number}", (("w",),) * 8, entities, relations))
    return documents


def make_predictions(documents, seed=1):
    """By document; some have none, some are repeated, some name what the gold does not have."""
    rng = np.random.default_rng(seed)
    made = {}
    for document in documents:
        name = document.id
        right = [Prediction(name, r.head, r.tail, r.relation, (0, 1)) for r in document.relations]
        wrong = [
            Prediction(name, int(h), int(t), f"P{r}", (int(e), int(e)))
            for h, t, r, e in rng.integers(0, 6, (3, 4))
        ]
        kept = [p for p in right + wrong + wrong[:1] if rng.random() < 0.7]
        made[name] = [] if rng.random() < 0.2 else kept
    return made


def make_gold(documents):
    return Gold.compile(documents, Facts("f", frozenset({("name0", "name1", "P1")})))


def flat(predictions):
    return [prediction for listed in predictions.values() for prediction in listed]


def numbers(values):
    return {name: value.item() for name, value in values.items()}


@pytest.fixture
def documents():
    return make_documents(11)


@pytest.fixture
def predictions(documents):
    return make_predictions(documents)


def test_equals_the_scorer(documents, predictions):
    gold = make_gold(documents)
    metric = DocREScore(gold, SETS)
    names = list(predictions)
    metric.update({name: predictions[name] for name in names[:3]})
    metric.update(names[3:7], [p for name in names[3:7] for p in predictions[name]])
    metric.update({name: predictions[name] for name in names[7:]})
    expected = score(flat(predictions), gold, SETS)
    values = metric.compute()
    assert numbers(values) == expected.to_dict()
    assert all(value.dtype == torch.float64 for value in values.values())
    assert expected.unknown_relations > 0
    assert metric.scores().to_dict(relations=True) == expected.to_dict(relations=True)


def test_documents_without_predictions_are_missed_not_forgotten(documents):
    gold = make_gold(documents)
    metric = DocREScore(gold)
    metric.update(["d0"], [])
    scores = metric.scores()
    assert scores.overall.gold == len(documents[0].relations)
    assert (scores.documents, scores.recall) == (1, 0)


def test_only_seen_documents_are_scored(documents, predictions):
    metric = DocREScore(make_gold(documents))
    part = documents[2:5]
    metric.update({d.id: predictions[d.id] for d in part})
    mine = [p for d in part for p in predictions[d.id]]
    values = metric.scores().to_dict(relations=False)
    expected = score(mine, make_gold(part)).to_dict()
    # relations that only other documents have are known to this gold and not to that one
    for changed in ("unknown_relations",):
        values.pop(changed), expected.pop(changed)
    assert values == expected


def test_a_document_that_comes_again_counts_once(documents, predictions):
    gold = make_gold(documents)
    metric = DocREScore(gold)
    metric.update(predictions)
    metric.update({"d0": [Prediction("d0", 0, 1, "P3")], "d4": []})
    assert numbers(metric.compute()) == score(flat(predictions), gold).to_dict()


def test_unknown_documents_count_as_wrong(documents):
    metric = DocREScore(make_gold(documents))
    metric.update(["d0", "new"], [Prediction("new", 0, 1, "P0"), Prediction("new", 0, 1, "odd")])
    scores = metric.scores()
    assert (scores.unknown_titles, scores.overall.predicted, scores.documents) == (2, 2, 1)


def test_unlabelled(documents):
    gold = Gold.compile([replace(d, relations=None) for d in documents])
    metric = DocREScore(gold)
    assert not metric.can_score
    metric.update(["d0"], [Prediction("d0", 0, 1, "P0")])
    with pytest.raises(UnlabelledError):
        metric.compute()
    mixed = Gold.compile([documents[0], *(replace(d, relations=None) for d in documents[1:])])
    metric = DocREScore(mixed)
    metric.update(["d0", "d1"], [Prediction("d1", 0, 1, "P0")])
    assert metric.can_score
    assert (metric.scores().unjudged_predictions, metric.scores().overall.predicted) == (1, 0)


def test_wrong_document_is_refused(documents):
    metric = DocREScore(make_gold(documents))
    with pytest.raises(ValueError, match="not among"):
        metric.update(["d0"], [Prediction("d1", 0, 1, "P0")])
    with pytest.raises(ValueError, match="another document"):
        metric.update({"d0": [Prediction("d1", 0, 1, "P0")]})


def test_reset_forward_clone_and_pickle(documents, predictions):
    gold = make_gold(documents)
    metric = DocREScore(gold)
    batch = {"d0": predictions["d0"]}
    values = metric(batch)
    one = DocREScore(gold)
    one.update(batch)
    assert numbers(values) == numbers(one.compute())
    metric({name: listed for name, listed in predictions.items() if name != "d0"})
    whole = score(flat(predictions), gold).to_dict()
    assert numbers(metric.compute()) == whole
    assert metric.scores().to_dict() == whole
    assert numbers(pickle.loads(pickle.dumps(metric)).compute()) == whole
    assert copy.deepcopy(metric).gold is gold
    metric.reset()
    metric.update(batch)
    assert numbers(metric.compute()) == numbers(one.compute())


def test_nothing_seen(documents):
    metric = DocREScore(make_gold(documents))
    metric.update({})
    assert metric.scores().documents == 0
    assert metric.scores().f1 == 0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def worker(rank, port, shares, results):
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        documents = make_documents(11)
        predictions = make_predictions(documents)
        gold = make_gold(documents)
        for share in shares:
            metric = DocREScore(gold, SETS)
            for name in share[rank]:
                metric.update({name: predictions[name]})
            values = numbers(metric.compute())
            assert metric.scores().to_dict() == values
            # gathered once, computed again after more came: nothing may be counted twice
            metric.update({name: predictions[name] for name in share[rank][:1]})
            again = numbers(metric.compute())
            results.put((rank, values, again))
    finally:
        dist.destroy_process_group()


@pytest.mark.timeout(120)
def test_two_processes_equal_one(documents, predictions):
    names = [d.id for d in documents]
    shares = [
        # as a padded distributed sampler deals them: 11 documents, the first one twice
        (names[0::2], [*names[1::2], names[0]]),
        (names, []),
        ([], names),
        ([], []),
    ]
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    mp.spawn(worker, args=(free_port(), shares, results), nprocs=2)
    found = [results.get() for _ in range(2 * len(shares))]
    whole = score(flat(predictions), make_gold(documents), SETS).to_dict()
    for rank in (0, 1):
        mine = [values for number, *values in found if number == rank]
        for values, again in mine[:3]:
            assert values == whole
            assert again == whole
        assert mine[3][0]["documents"] == 0
