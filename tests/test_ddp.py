"""Two processes through the command line: one run, one set of files, the scores of one process."""

import json
from contextlib import chdir

import pytest

from docre import read_documents
from tests.test_training import TINY, process, quietly, scalars

SIZES = {
    "train_documents: 24": "train_documents: 12",
    "dev_documents: 8": "dev_documents: 7",
    "test_documents: 8": "test_documents: 7",
    "max_epochs: 3": "max_epochs: 2",
    "reading:": "batches: {batch_size: 2, eval_batch_size: 3}\n    reading:",
}
TWO = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp"]


def docre(folder, *arguments):
    done = process(*arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of two processes with a memory and class means over both; nothing unused."""
    folder = tmp_path_factory.mktemp("ddp")
    config = TINY
    for before, after in SIZES.items():
        assert before in config
        config = config.replace(before, after)
    (folder / "tiny.yaml").write_text(config)
    shown = docre(folder, "fit", "-c", "tiny.yaml", *TWO)
    assert shown.count("docre test --run") == 1
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    return folder / "runs" / "tiny" / "version_0"


def test_one_run_of_both(folder, trained):
    assert [path.name for path in trained.parent.iterdir()] == ["version_0"]
    files = sorted(path.name for path in trained.rglob("*") if path.is_file())
    events = [*trained.glob("events*")]
    assert len(events) == 1
    assert {"best.ckpt", "last.ckpt", "config.yaml", "run.json", "relations.json"} <= set(files)
    assert json.loads((trained / "run.json").read_text())["devices"]["number"] == 2
    # 12 documents, 2 a batch, 2 batches a step, 2 epochs
    assert [step for step, _ in scalars(trained)["train/loss"]] == [1, 3, 5]
    assert len(scalars(trained)["val/f1"]) == 2


def test_scores_are_those_of_one_process(folder, trained):
    docre(folder, "validate", "--run", trained, *TWO)
    two = json.loads((trained / "scores" / "dev.json").read_text())
    with chdir(folder):  # the run was one of two
        quietly("validate", "--run", trained, "--trainer.devices=1", "--trainer.strategy=auto")
    one = json.loads((trained / "scores" / "dev.json").read_text())
    assert (one["devices"]["number"], two["devices"]["number"]) == (1, 2)
    assert one["scores"] == two["scores"]
    assert one["scores"]["documents"] == 7
    assert one["scores"]["predicted"] > 0
    best = max(value for _, value in scalars(trained)["val/f1"])
    assert two["scores"]["f1"] == pytest.approx(best, rel=1e-6)


def test_predictions_of_both_in_one_file(folder, trained):
    shown = docre(folder, "predict", "--run", trained, "--output", "p.jsonl", *TWO)
    lines = [json.loads(line) for line in (folder / "p.jsonl").read_text().splitlines()]
    (file,) = folder.glob("data/*/test.json")
    assert [line["id"] for line in lines] == [made.id for made in read_documents(file)]
    count = sum(len(line["triples"]) for line in lines)
    assert count > 0
    assert f"{count:,} predictions written to p.jsonl" in shown
    left = {path.name for path in folder.iterdir()}
    assert left == {"tiny.yaml", "data", "cache", "runs", "p.jsonl"}
