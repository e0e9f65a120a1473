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
from docre.errors import DataError
from docre.joint_metrics import JointScore
from docre.scoring.joint import score_joint


def make_documents(count, seed=0, types=("PER", "LOC")):
    """Clusters of single words, some in two entities."""
    rng = np.random.default_rng(seed)
    documents = []
    for number in range(count):
        places = rng.integers(0, 5, 12)
        entities = tuple(
            Entity(
                tuple(Mention(int(s // 4), int(s % 4), int(s % 4) + 1) for s in spans),
                str(rng.choice(types)),
            )
            for spans in (np.flatnonzero(places == entity) for entity in range(4))
            if len(spans)
        )
        drawn = rng.integers(0, len(entities), (4, 2)).tolist()
        relations = tuple(Relation(h, t, f"P{rng.integers(3)}") for h, t in drawn)
        documents.append(Document(f"d{number}", (("w",) * 4,) * 3, entities, relations))
    return documents


def make_predictions(documents):
    """Some are right, some wrong, some empty; one has a type that the gold does not have."""
    others = make_documents(len(documents), seed=9, types=("PER", "ünseen"))
    made = [
        true if n % 3 else other
        for n, (true, other) in enumerate(zip(documents, others, strict=True))
    ]
    made[4] = replace(made[4], entities=(), relations=())
    return [replace(d, id=true.id) for d, true in zip(made, documents, strict=True)]


def numbers(values):
    return {name: value.item() for name, value in values.items()}


@pytest.fixture
def gold():
    return make_documents(11)


@pytest.fixture
def predicted(gold):
    return make_predictions(gold)


def test_equals_the_scorer(gold, predicted):
    metric = JointScore(gold)
    for start in range(0, 11, 4):
        metric.update(predicted[start : start + 4])
    values = metric.compute()
    expected = score_joint(gold, predicted)
    assert 0 < expected.relation_strict.overall.f1 < 1
    assert "ünseen" in expected.entity.labels
    assert numbers(values) == expected.to_dict()
    assert all(value.dtype == torch.float64 for value in values.values())
    assert metric.scores() == expected


def test_only_seen_documents_are_scored(gold, predicted):
    metric = JointScore(gold)
    metric.update(predicted[2:5])
    assert metric.scores() == score_joint(gold[2:5], predicted[2:5])
    assert not metric.scores().missing_documents


def test_a_document_that_comes_again_counts_once(gold, predicted):
    metric = JointScore(gold)
    metric.update(predicted)
    metric.update([replace(predicted[0], entities=(), relations=()), predicted[3]])
    assert metric.scores() == score_joint(gold, predicted)


def test_unknown_documents_and_labels(gold, predicted):
    metric = JointScore([replace(d, relations=None) for d in gold])
    metric.update([predicted[1], replace(predicted[2], id="new")])
    scores = metric.scores()
    assert (scores.unknown_documents, scores.documents) == (("new",), 1)
    assert scores.relation_strict is None
    assert "relation_strict_f1" not in metric.compute()


def test_predictions_that_say_nothing_of_relations(gold, predicted):
    metric = JointScore(gold)
    metric.update([replace(one, relations=None) for one in predicted])
    values = metric.compute()
    assert metric.scores().relation_strict is None
    assert not [name for name in values if name.startswith("relation")]
    assert values["entity_f1"] == score_joint(gold, predicted).entity.overall.f1


def test_numbers_of_numpy_are_welcome(gold):
    strange = replace(
        gold[0],
        entities=tuple(
            Entity(
                tuple(Mention(*np.int64((m.sentence, m.start, m.end))) for m in e.mentions), e.type
            )
            for e in gold[0].entities
        ),
        relations=tuple(
            Relation(np.int64(r.head), np.int64(r.tail), r.relation) for r in gold[0].relations
        ),
    )
    metric = JointScore(gold)
    metric.update([strange])
    assert metric.scores().relation_strict.overall.f1 == 1


def test_what_cannot_be_scored_is_refused(gold):
    metric = JointScore(gold)
    with pytest.raises(DataError, match="no mention"):
        metric.update([replace(gold[0], entities=(Entity(()),))])
    metric.update([replace(gold[0], sentences=(("w",),))])
    with pytest.raises(DataError, match="text differs from that of the gold"):
        metric.compute()


def test_reset_forward_clone_and_pickle(gold, predicted):
    metric = JointScore(gold)
    one = numbers(metric(predicted[:1]))
    assert one == score_joint(gold[:1], predicted[:1]).to_dict()
    metric(predicted[1:])
    whole = score_joint(gold, predicted)
    assert metric.scores() == whole
    assert numbers(pickle.loads(pickle.dumps(metric)).compute()) == whole.to_dict()
    assert copy.deepcopy(metric).scores() == whole
    metric.reset()
    metric.update(predicted[:1])
    assert numbers(metric.compute()) == one


def test_nothing_seen(gold):
    metric = JointScore(gold)
    metric.update([])
    assert metric.scores() == score_joint([], [])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def worker(rank, port, shares, results):
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        gold = make_documents(11)
        predicted = make_predictions(gold)
        for share in shares:
            metric = JointScore(gold)
            for number in share[rank]:
                metric.update([predicted[number]])
            values = numbers(metric.compute())
            flat = metric.scores().to_dict(labels=True)
            # gathered once, computed again after more came: nothing may be counted twice
            metric.update([predicted[number] for number in share[rank][:1]])
            results.put((rank, values, numbers(metric.compute()), flat))
    finally:
        dist.destroy_process_group()


@pytest.mark.timeout(120)
@pytest.mark.slow
def test_two_processes_equal_one(gold, predicted):
    every = list(range(11))
    # as a padded distributed sampler deals them, all on one side, none at all
    shares = [(every[0::2], [*every[1::2], 0]), (every, []), ([], every), ([], [])]
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    mp.spawn(worker, args=(free_port(), shares, results), nprocs=2)
    found = [results.get() for _ in range(2 * len(shares))]
    whole = score_joint(gold, predicted)
    for rank in (0, 1):
        mine = [values for number, *values in found if number == rank]
        for values, again, labelled in mine[:3]:
            assert values == again == whole.to_dict()
            assert labelled == whole.to_dict(labels=True)
        assert mine[3][0]["documents"] == 0
