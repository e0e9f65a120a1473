"""A joint model on two processes: one run, the scores and predictions of one process."""

import json
from contextlib import chdir

import pytest

from docre import Document, read_documents, write_documents
from tests.test_ddp import TWO, docre
from tests.test_joint_model import TINY, people, quietly
from tests.test_training import scalars

SIZES = {
    "max_epochs: 30": "max_epochs: 4",
    "check_val_every_n_epoch: 5": "check_val_every_n_epoch: 2",
    "reading:": "batches: {batch_size: 2, eval_batch_size: 3}\n    reading:",
    "{mention: 0.5, coreference: 0.5, relation: 0.5}": (
        "{mention: 0.3, coreference: 0.3, relation: 0.3}"  # something is found in any case
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two processes, some of whose batches have no pair or no mention."""
    folder = tmp_path_factory.mktemp("joint_ddp")
    config = TINY
    for before, after in SIZES.items():
        assert before in config
        config = config.replace(before, after)
    (folder / "joint.yaml").write_text(config)
    empty = [
        Document.from_words(f"none {number}", [["Nothing", "here", "."]], [], [])
        for number in range(4)
    ]
    for number, split in enumerate(("train", "dev", "test")):
        made = [people(seed) for seed in range(12 * number, 12 * number + 8)]
        write_documents(folder / f"{split}.jsonl", [*made, *empty][:11])
    shown = docre(folder, "fit", "-c", "joint.yaml", *TWO)
    assert shown.count("docre tune --run") == 1
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    return folder / "runs/joint/version_0"


def test_scores_are_those_of_one_process(folder, trained):
    docre(folder, "validate", "--run", trained, *TWO)
    two = json.loads((trained / "scores/dev.json").read_text())
    with chdir(folder):  # the run was one of two
        quietly("validate", "--run", trained, "--trainer.devices=1", "--trainer.strategy=auto")
    one = json.loads((trained / "scores/dev.json").read_text())
    assert (one["devices"]["number"], two["devices"]["number"]) == (1, 2)
    assert one["scores"] == two["scores"]
    assert one["scores"]["documents"] == 11
    assert one["scores"]["mention_predicted"] > 0
    assert two["scores"]["mention_f1"] in [
        pytest.approx(value, rel=1e-6) for _, value in scalars(trained)["val/mention_f1"]
    ]


@pytest.mark.slow
def test_predictions_of_both_in_one_file(folder, trained):
    docre(folder, "predict", "--run", trained, "--output", "two.jsonl", *TWO)
    with chdir(folder):
        one_process = "--trainer.devices=1", "--trainer.strategy=auto"
        quietly("predict", "--run", trained, "--output", "one.jsonl", *one_process)
    one, two = (read_documents(folder / f"{name}.jsonl") for name in ("one", "two"))
    assert [made.id for made in two] == [made.id for made in read_documents(folder / "test.jsonl")]
    for ours, theirs in zip(one, two, strict=True):
        assert ours.entities == theirs.entities
        assert [r.score for r in ours.relations] == pytest.approx(
            [r.score for r in theirs.relations], abs=1e-5
        )
