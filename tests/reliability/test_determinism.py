"""The same seed gives the same weights, to the last bit, whatever does not belong to the result."""

import warnings
from contextlib import chdir

import pytest
import torch

from docre import write_documents
from docre.training import run
from tests.test_joint_model import TINY as JOINT
from tests.test_joint_model import people
from tests.test_training import TINY as PAIR
from tests.test_training import process, weights

pytestmark = pytest.mark.reliability
JOINT = JOINT.replace("max_epochs: 30", "max_epochs: 4").replace(
    "check_val_every_n_epoch: 5", "check_val_every_n_epoch: 1"
)
BUDGET = ["--data.init_args.batches={token_budget: 700, pair_budget: 400}"]
WORKERS = ["--data.init_args.batches.num_workers", "2"]


@pytest.fixture(scope="module", params=["pair", "joint"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    made = tmp_path_factory.mktemp(kind)
    (made / "pair.yaml").write_text(PAIR)
    (made / "joint.yaml").write_text(JOINT)
    for number, split in enumerate(("train", "dev", "test")):
        documents = [people(seed) for seed in range(12 * number, 12 * number + 12)]
        write_documents(made / f"{split}.jsonl", documents)
    return made


def trained(folder, kind, *options):
    """Return the weights that a training ends with."""
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = run(["fit", "--config", f"{kind}.yaml", *options])
    return {name: value.clone() for name, value in made.model.state_dict().items()}


def differing(first, second):
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]


@pytest.fixture(scope="module")
def usual(folder, kind):
    return trained(folder, kind)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="again, with a warm cache"),
        pytest.param(["--data.init_args.reading.cache_dir=other"], id="cold cache"),
        pytest.param(WORKERS, id="workers"),
        pytest.param(["--trainer.logger=false"], id="no log and no dashboard"),
        pytest.param(["--dashboard.drawings=4", "--trainer.log_every_n_steps=1"], id="pictures"),
        pytest.param(["--trainer.limit_val_batches=0", "--select_on=null"], id="no validation"),
        pytest.param(["--trainer.num_sanity_val_steps=0"], id="no look at validation before"),
        pytest.param(["--trainer.enable_progress_bar=false"], id="no progress bar"),
        pytest.param(["--seed_everything=7"], id="seed on the command line"),
        pytest.param(["--trainer.deterministic=true"], id="deterministic"),
        pytest.param(["--trainer.deterministic=warn"], id="deterministic, warning"),
        pytest.param(["--trainer.benchmark=true"], id="benchmark"),
    ],
)
def test_same_weights(folder, kind, usual, options, figures, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # put back afterwards
    try:
        found = trained(folder, kind, *options)
        if options == ["--trainer.deterministic=true"]:
            assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False
    wrong = differing(usual, found)
    figures.add("same seed, same weights", not wrong, of=1)
    assert wrong == []


def test_another_seed_is_another_training(folder, kind, usual):
    assert differing(usual, trained(folder, kind, "--seed_everything=8"))


def test_batches_by_budget(folder, kind, usual, figures):
    without = trained(folder, kind, *BUDGET)
    assert differing(usual, without)  # other batches
    wrong = differing(without, trained(folder, kind, *BUDGET, *WORKERS))
    figures.add("same seed, same weights", not wrong, of=1)
    assert wrong == []


def test_processes_of_their_own(folder, kind, usual, figures, monkeypatch):
    """Neither the order of hashes nor what ran before in a process counts."""
    found = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        log = f"--trainer.logger.init_args.save_dir=hashes{seed}"
        done = process("fit", "-c", f"{kind}.yaml", log, cwd=folder)
        assert done.returncode == 0, done.stderr
        found.append(weights(folder / f"hashes{seed}/{kind}/version_0/checkpoints/last.ckpt"))
    wrong = differing(*found)
    if torch.get_num_threads() == 1:  # as in those processes
        wrong += differing(usual, found[0])
    figures.add("same seed, same weights", not wrong, of=1)
    assert wrong == []


@pytest.mark.gpu
def test_on_a_gpu(folder, kind, figures, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    options = ["--trainer.accelerator=gpu", "--trainer.deterministic=true"]
    try:
        wrong = differing(*(trained(folder, kind, *options) for _ in range(2)))
    finally:
        torch.use_deterministic_algorithms(False)
    figures.add("same seed, same weights on a GPU", not wrong, of=1)
    assert wrong == []
