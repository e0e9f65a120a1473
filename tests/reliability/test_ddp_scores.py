"""Scores of two ranks are those of one process to the last digit, however documents are dealt."""

import json
from contextlib import chdir
from dataclasses import replace

import numpy as np
import pytest
import torch.distributed as dist
import torch.multiprocessing as mp

from docre import write_documents
from docre.data.sampling import DocumentBatchSampler
from docre.joint_metrics import JointScore
from docre.metrics import DocREScore
from docre.scoring import score
from docre.scoring.joint import score_joint
from tests import test_joint_metrics as joint
from tests import test_metrics as pairs
from tests.test_ddp import TWO
from tests.test_joint_model import TINY as TINY_JOINT
from tests.test_joint_model import people, quietly
from tests.test_training import process

pytestmark = pytest.mark.reliability
# documents, documents a batch, and the rank whose documents get no prediction
DEALT = [(count, size, None) for count in (1, 2, 3, 5, 7, 10) for size in (1, 3)] + [
    (count, size, rank) for count in (1, 4, 7) for size in (1, 2) for rank in (0, 1)
]


def dealt(count, size, rank):
    """Return the numbers of the documents of a rank, batch by batch."""
    ones = np.ones(count, dtype=np.int64)
    return list(DocumentBatchSampler(ones, ones, batch_size=size, rank=rank, world_size=2))


def silent(count, size, rank):
    """Return the documents that only this rank has."""
    if rank is None:
        return set()
    mine, theirs = ({n for batch in dealt(count, size, r) for n in batch} for r in (rank, 1 - rank))
    return mine - theirs


def predicted(count, size, without):
    """Return gold and predictions of both systems, with nothing for the documents of one rank."""
    empty = silent(count, size, without)
    gold, joint_gold = pairs.make_documents(count), joint.make_documents(max(count, 5))[:count]
    of_pairs = pairs.make_predictions(gold)
    found = joint.make_predictions(joint.make_documents(max(count, 5)))[:count]
    for number in empty:
        of_pairs[gold[number].id] = []
        found[number] = replace(found[number], entities=(), relations=())
    return gold, of_pairs, joint_gold, found


def worker(rank, folder):
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    scores = []
    try:
        for case in DEALT:
            gold, of_pairs, joint_gold, found = predicted(*case)
            metric = DocREScore(pairs.make_gold(gold), pairs.SETS)
            of_joint = JointScore(joint_gold)
            for batch in dealt(*case[:2], rank):
                metric.update({gold[n].id: of_pairs[gold[n].id] for n in batch})
                of_joint.update([found[n] for n in batch])
            scores.append([pairs.numbers(metric.compute()), joint.numbers(of_joint.compute())])
    finally:
        dist.destroy_process_group()
    (folder / f"{rank}.json").write_text(json.dumps(scores))


@pytest.mark.timeout(180)
def test_however_documents_are_dealt(tmp_path):
    mp.spawn(worker, args=(tmp_path,), nprocs=2)
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert ranks[0] == ranks[1]
    scored = 0
    for case, (of_pairs, of_joint) in zip(DEALT, ranks[0], strict=True):
        gold, predictions, joint_gold, found = predicted(*case)
        whole = score(pairs.flat(predictions), pairs.make_gold(gold), pairs.SETS).to_dict()
        assert of_pairs == whole, case
        assert of_joint == score_joint(joint_gold, found).to_dict(), case
        assert of_pairs["documents"] == of_joint["documents"] == case[0]
        scored += of_pairs["f1"] > 0
    assert scored > len(DEALT) / 2
    # what the cases are there for
    assert dealt(1, 3, 0) == dealt(1, 3, 1) == [[0]]  # fewer documents than ranks
    assert silent(7, 2, 0)
    assert silent(7, 2, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A joint model that was trained a little, and a development file of one document."""
    folder = tmp_path_factory.mktemp("one")
    for name, seeds in (("train", range(8)), ("dev", range(20, 23)), ("test", [30])):
        write_documents(folder / f"{name}.jsonl", [people(seed) for seed in seeds])
    # something is found in any case
    config = TINY_JOINT.replace("0.5, coreference: 0.5, relation: 0.5", "0.1, coreference: 0.3")
    (folder / "joint.yaml").write_text(config.replace("max_epochs: 30", "max_epochs: 5"))
    with chdir(folder):
        quietly("fit", "-c", "joint.yaml")
    return folder


@pytest.mark.timeout(300)
def test_one_document_on_two_ranks(folder):
    """Through the command: the sampler deals it to both, and it counts once."""
    run = folder / "runs/joint/version_0"
    done = process("test", "--run", run, *TWO, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    two = json.loads((run / "scores/test.json").read_text())
    with chdir(folder):
        quietly("test", "--run", run)
    one = json.loads((run / "scores/test.json").read_text())
    assert (one["devices"]["number"], two["devices"]["number"]) == (1, 2)
    assert one["scores"] == two["scores"]
    assert one["scores"]["documents"] == 1
    assert one["scores"]["mention_predicted"] > 0
