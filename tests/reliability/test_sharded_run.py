"""Trainings of two processes that share one copy of the weights, beside those of DDP."""

import json
import subprocess
import sys

import pytest
import torch

from docre import write_documents
from tests.test_ddp import SIZES, TWO
from tests.test_joint_ddp import SIZES as JOINT_SIZES
from tests.test_joint_model import TINY as JOINT
from tests.test_joint_model import people
from tests.test_slurm_example import SCRIPT, cluster, command
from tests.test_training import ROOT, TINY, process, scalars, weights

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(1800)]
CONSTANT = """  schedule:
    class_path: docre.optim.ConstantWarmup
    init_args: {warmup: 0.0}
  rates:"""
SHARDED = """
trainer:
  accelerator: cpu
  devices: 2
  strategy:
    class_path: docre.sharding.ShardedStrategy
"""


def changed(config, changes):
    for before, after in changes.items():
        assert before in config
        config = config.replace(before, after)
    return config


def docre(folder, *arguments):
    done = process(*arguments, cwd=folder, timeout=900)
    assert (done.returncode, done.stderr) == (0, "")


def fit(folder, config, strategy, *options):
    """Train and return the run folder."""
    before = {*folder.glob("runs/*/version_*")}
    docre(folder, "fit", "-c", config, *strategy, *options)
    (run,) = {*folder.glob("runs/*/version_*")} - before
    return run


def difference(one, other):
    """The largest difference between the weights of two checkpoints."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    return max(float((ours[k].double() - theirs[k].double()).abs().max()) for k in ours)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    (folder / "sharded.yaml").write_text(SHARDED)
    # rates that do not depend on how long the training will be
    tiny = changed(TINY, SIZES | {"  rates:": CONSTANT})
    (folder / "tiny.yaml").write_text(tiny)
    (folder / "joint.yaml").write_text(changed(JOINT, JOINT_SIZES))
    for number, split in enumerate(("train", "dev", "test")):
        made = [people(seed) for seed in range(12 * number, 12 * number + 8)]
        write_documents(folder / f"{split}.jsonl", made)
    return folder


@pytest.fixture(scope="module")
def runs(folder):
    """One epoch with each strategy, and two with DDP."""
    strategies = {"ddp": TWO, "sharded": ["-c", "sharded.yaml"]}
    made = {
        name: fit(folder, "tiny.yaml", strategy, "--trainer.max_epochs=1")
        for name, strategy in strategies.items()
    }
    return strategies, made, fit(folder, "tiny.yaml", TWO)


def test_losses_are_those_of_ddp(runs, figures):
    _, made, _ = runs
    ours, theirs = scalars(made["sharded"]), scalars(made["ddp"])
    assert ours.keys() == theirs.keys()
    worst = 0.0
    for name in ("train/loss", "train/grad_norm", "val/loss", "val/f1"):
        assert len(ours[name]) == len(theirs[name]) > 0
        for (_, one), (_, other) in zip(ours[name], theirs[name], strict=True):
            worst = max(worst, abs(one - other) / max(abs(other), 1e-12))
    figures.worst("FSDP, relative difference of losses to DDP", worst)
    assert worst < 1e-5
    assert any(value > 0 for _, value in ours["train/loss"])


def test_a_checkpoint_is_one_file_like_any_other(folder, runs):
    _, made, _ = runs
    files = [made[name] / "checkpoints" / "best.ckpt" for name in ("sharded", "ddp")]
    assert difference(*files) < 1e-6
    ours, theirs = (torch.load(file, weights_only=True) for file in files)
    assert ours.keys() == theirs.keys()
    assert ours["docre"] == theirs["docre"]
    assert {type(value) for value in ours["state_dict"].values()} == {torch.Tensor}
    for name in ("sharded", "ddp"):
        one = ["--trainer.devices=1", "--trainer.strategy=auto"]
        docre(folder, "test", "--run", made[name], *one)
    scores = [json.loads((made[n] / "scores" / "test.json").read_text())["scores"] for n in made]
    assert scores[0] == scores[1]
    assert scores[0]["predicted"] > 0
    docre(folder, "test", "--run", made["sharded"])  # on the two that trained it
    both = json.loads((made["sharded"] / "scores" / "test.json").read_text())
    assert both["devices"]["number"] == 2
    assert both["scores"] == scores[0]


@pytest.mark.parametrize(("before", "after"), [("ddp", "sharded"), ("sharded", "ddp")])
def test_either_goes_on_from_the_other(folder, runs, before, after, figures):
    """Weights, and what the optimizer knew of each of them."""
    strategies, made, uninterrupted = runs
    last = made[before] / "checkpoints" / "last.ckpt"
    assert difference(last, uninterrupted / "checkpoints" / "last.ckpt") > 1e-3
    resumed = fit(folder, "tiny.yaml", strategies[after], "--ckpt_path", last)
    paths = [run / "checkpoints" / "last.ckpt" for run in (resumed, uninterrupted)]
    far = difference(*paths)
    figures.worst("FSDP, weights beside DDP's after a change of strategy", far)
    assert far < 1e-5
    ours, theirs = (torch.load(path, weights_only=True)["global_step"] for path in paths)
    assert ours == theirs


def test_joint_models_too(folder, figures):
    """Their heads run outside of the forward pass."""
    ddp = fit(folder, "joint.yaml", TWO)
    sharded = fit(folder, "joint.yaml", ["-c", "sharded.yaml"])
    ours, theirs = (dict(scalars(run)["train/loss"]) for run in (sharded, ddp))
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert difference(*(run / "checkpoints" / "last.ckpt" for run in (sharded, ddp))) < 1e-4


def test_two_machines_of_a_cluster(folder, runs):
    """As SLURM starts them: the script of the examples, with a process a machine."""
    _, made, _ = runs
    run = f'PYTHONPATH={ROOT} OMP_NUM_THREADS=1 exec {sys.executable} -m docre "$@"'
    options = ["--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
    done = subprocess.run(
        ["bash", SCRIPT, "tiny.yaml", *options],
        cwd=folder,
        env=cluster(folder) | command(folder, run),
        timeout=900,
    )
    shown = [(folder / f"task_{task}.txt").read_text() for task in range(2)]
    assert done.returncode == 0, shown
    job = folder / "runs" / "tiny" / "job_17"
    assert json.loads((job / "run.json").read_text())["devices"]["number"] == 2
    assert scalars(job)["train/loss"] == scalars(made["ddp"])["train/loss"]
    assert difference(*(one / "checkpoints" / "last.ckpt" for one in (job, made["ddp"]))) == 0
