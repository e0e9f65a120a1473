"""``docre tune`` on tiny runs: what it writes, and what the other commands make of it."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import torch
from rich.console import Console

from docre.data.cache import file_hash
from docre.errors import DocreError
from docre.joint import JointThresholds
from docre.joint_model import JointModel
from docre.joint_tuning.dev_split import DevSplit
from docre.joint_tuning.levels import links
from docre.joint_tuning.steps import Steps, at_least, best_threshold
from docre.opened_run import open_run
from docre.scoring.joint import score_joint
from docre.tune_command import tune_run
from tests.test_training import TINY, quietly

ENCODER_AND_DATA = (
    TINY[TINY.index("  encoder:\n") : TINY.index("  head:\n")],
    TINY[TINY.index("data:\n") :]
    .replace("24", "18")
    .replace("max_epochs: 3", "max_epochs: 1")
    .replace("dev_documents: 8", "dev_documents: 4"),
)
JOINT = f"""
seed_everything: 7
model_class: docre.joint_model.JointModel
model:
{ENCODER_AND_DATA[0]}
  rates:
    encoder: {{lr: 2.0e-3}}
    head: {{lr: 2.0e-2}}
  memory: docre.joint.SimilarityMemories
  examples:
    class_path: docre.joint_data.JointExamples
    init_args: {{max_span_words: 2}}
{ENCODER_AND_DATA[1]}
"""
RELATION_ALONE = """
model:
  memory: null
  mention: null
  coreference: null
  entity: null
"""
LEVELS = ("mention", "coreference", "entity", "relation_relaxed", "relation_strict")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with two runs: of all heads, and of the relation head alone."""
    folder = tmp_path_factory.mktemp("tuning")
    (folder / "joint.yaml").write_text(JOINT)
    (folder / "alone.yaml").write_text(RELATION_ALONE)
    with chdir(folder):
        quietly("fit", "--config", "joint.yaml")
        quietly("fit", "--config", "joint.yaml", "--config", "alone.yaml")
    return folder


@pytest.fixture
def runs(workplace, tmp_path, monkeypatch):
    """Copies of both, to write into."""
    monkeypatch.chdir(workplace)
    copies = {}
    for number, name in enumerate(("joint", "relation")):
        copies[name] = tmp_path / name
        shutil.copytree(workplace / "runs" / "joint" / f"version_{number}", copies[name])
    return copies


def tuned(run):
    """Run the command; return what it prints and writes."""
    console = Console(record=True, width=200)
    tune_run(run, accelerator="cpu", console=console)
    path = run / "thresholds.json"
    return console.export_text(), json.loads(path.read_text()) if path.exists() else None


def opened(run):
    return open_run(run, arguments=["--trainer.accelerator=cpu"], kind=JointModel)


def validated(run, *options):
    """What ``docre validate`` writes."""
    quietly("validate", "--run", run, *options)
    return json.loads((run / "scores" / "dev.json").read_text())


def test_validation_agrees(runs):
    run = runs["joint"]
    before = validated(run)
    said, known = tuned(run)
    after = validated(run)
    assert {name: known[name] for name in before["thresholds"]} == after["thresholds"]
    assert (
        known["before"]
        == before["thresholds"]
        == {
            "mention": 0.85,
            "coreference": 0.85,
            "relation": 0.6,
        }
    )
    rows = [line.split() for line in said.splitlines()]
    for level in LEVELS:
        assert known["f1_before"][level] == before["scores"][f"{level}_f1"]
        assert known["f1"][level] == after["scores"][f"{level}_f1"]
        shown = [f"{100 * known[name][level]:.2f}" for name in ("f1_before", "f1")]
        assert any(row[-2:] == shown and row[0] == level.split("_")[0] for row in rows)
    assert known["f1"]["mention"] > known["f1_before"]["mention"]
    assert known["f1"]["coreference"] > 0
    assert f"{known['mention']:.4g}" in said
    best = run / "checkpoints" / "best.ckpt"
    assert known["checkpoint"] == {
        "file": str(best),
        "xxh3_128": file_hash(best),
        "sha256": after["checkpoint"]["sha256"],
    }
    assert known["data"]["dev"]["documents"] == 4
    assert known["data"]["dev"]["xxh3_128"]
    # options that are given count more
    given = validated(run, "--model.thresholds.mention", "0.99")["thresholds"]
    assert given == after["thresholds"] | {"mention": 0.99}
    # and tuned once more they stay
    _, again = tuned(run)
    assert [again[name] for name in given] == [known[name] for name in given]


def check_counts(steps, reached, threshold, rates):
    taken = reached(steps.probability, threshold)
    assert steps.gold == rates.gold
    assert steps.start_predicted + steps.predicted[taken].sum() == rates.predicted
    assert steps.start_correct + steps.correct[taken].sum() == rates.correct


def test_steps_are_what_scores_count(runs):
    """So that what is best by counting steps is best by scoring documents."""
    dev = DevSplit(opened(runs["joint"]))
    sure = dev.ask(dev.mentions)[0]
    chosen = best_threshold(Steps.joined(sure), 0.85)
    for value in (chosen, chosen + 0.02):
        thresholds = JointThresholds(value, coreference=0.0)
        found = dev.ask(dev.found(thresholds))[0]
        scores = score_joint(dev.documents.values(), found)
        assert 0 < scores.mention.overall.correct < scores.mention.overall.predicted
        check_counts(Steps.joined(sure), at_least, value, scores.mention.overall)
    alike = dev.ask(dev.coreference(JointThresholds(chosen)))[0]
    for value in (0.4, 0.5):
        found = dev.ask(dev.found(JointThresholds(chosen, value, 1.0)))[0]
        scores = score_joint(dev.documents.values(), found)
        check_counts(Steps.joined(alike), links, value, scores.coreference.overall)
    dev = DevSplit(opened(runs["relation"]))
    related = dev.ask(dev.relations(JointThresholds(relation=0.0)))[0]
    for value in (0.0, 0.2, 0.3):
        found = dev.ask(dev.found(JointThresholds(relation=value)))[0]
        scores = score_joint(dev.documents.values(), found)
        assert scores.relation_strict.overall.predicted > 0
        check_counts(Steps.joined(related), at_least, value, scores.relation_strict.overall)


def test_a_relation_head_alone(runs):
    _, known = tuned(runs["relation"])
    assert [known[name] for name in ("mention", "coreference")] == [0.85, 0.85]
    assert list(known["f1"]) == ["relation_relaxed", "relation_strict"]
    assert known["f1"]["relation_strict"] > known["f1_before"]["relation_strict"]
    assert known["f1"] == {
        name: validated(runs["relation"])["scores"][f"{name}_f1"] for name in known["f1"]
    }


def test_worse_thresholds_are_not_written(runs, monkeypatch):
    _, known = tuned(runs["relation"])
    monkeypatch.setattr("docre.joint_tuning.tune.best_threshold", lambda *_, **__: 1.0)
    said, again = tuned(runs["relation"])
    assert "relation_strict_f1 is lower with the tuned thresholds" in said
    assert again == known


def test_thresholds_of_another_checkpoint(runs, caplog):
    run = runs["relation"]
    _, known = tuned(run)
    last = run / "checkpoints" / "last.ckpt"
    changed = torch.load(last, weights_only=True) | {"epoch": 5}
    torch.save(changed, last)
    found = validated(run, "--ckpt_path", last)
    assert found["thresholds"] == known["before"]
    assert "was tuned for another checkpoint than" in caplog.text


def test_errors(runs):
    with pytest.raises(DocreError, match="docre tune needs a trained model: --run FOLDER"):
        tune_run()
    with pytest.raises(DocreError, match="no such run folder: nowhere"):
        tune_run(Path("nowhere"))
    for size in (0, -2):
        with pytest.raises(DocreError, match=f"--batch_size must be at least 1, it is {size}"):
            tune_run(runs["relation"], batch_size=size)
    without = opened(runs["relation"])
    del without.data.files["dev"]
    with pytest.raises(DocreError, match="the run has no dev file to tune thresholds on"):
        DevSplit(without)
