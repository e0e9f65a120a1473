"""Whatever kills a command, and whenever: given again, it ends where it would have ended."""

import json
import sys
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docre import read_documents, write_documents
from docre.callbacks.checkpoint import WholeCheckpoints
from docre.chain.runner import ChainRun
from docre.chain.stages import read_chain
from docre.cli import main
from docre.distillation.store import LogitFile
from docre.sweep.sweep_file import read_sweep
from tests.chain.test_training_in_stages import QUIET
from tests.reliability.caching import cached
from tests.reliability.extent import by_extent
from tests.reliability.kills import (
    ALONE,
    ASKED,
    GROUP,
    TooLate,
    here,
    in_turn,
    kill,
    newest,
    same_checkpoints,
    start,
    survive,
    wait_for,
)
from tests.test_joint_model import TINY as TINY_JOINT
from tests.test_joint_model import people
from tests.test_training import TINY
from tests.toy import document

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(1500)]
# long enough that a kill falls into it
PAIRS = [
    "--config=tiny.yaml",
    "--data.init_args.train_documents=96",
    "--data.init_args.dev_documents=24",
    "--trainer.max_epochs=6",
    "--checkpoint.keep_last_every=7",
    "--trainer.enable_progress_bar=false",
]
JOINT = [
    "--config=joint.yaml",
    "--data.init_args.batches.num_workers=1",
    "--trainer.max_epochs=10",
    "--checkpoint.keep_last_every=5",
    "--trainer.enable_progress_bar=false",
]
ROUNDS = by_extent(1, 4)


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with what nobody kills: runs, caches and outputs to compare with."""
    folder = tmp_path_factory.mktemp("whole")
    furnish(folder)
    return folder


def furnish(folder):
    """Put configurations and documents into a folder."""
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "joint.yaml").write_text(TINY_JOINT)
    for number, split in enumerate(("train", "dev", "test")):
        made = [people(seed) for seed in range(12 * number, 12 * number + 12)]
        write_documents(folder / f"{split}.jsonl", made)


@pytest.fixture(scope="session")
def trained(place):
    """A run of a pair model, and the seconds it took."""
    with chdir(place):
        seconds = here(["fit", *PAIRS])
    return place / "runs" / "tiny" / "version_0", seconds


@pytest.fixture(scope="session")
def documents(trained, place):
    """Many documents of the kind the run has learnt from."""
    path = max(place.glob("data/*/train.json"), key=lambda path: path.stat().st_size)
    known = read_documents(path)
    copies = by_extent(12, 24)
    write_documents(
        place / "many.jsonl",
        [replace(one, id=f"{one.id} {number}") for number in range(copies) for one in known],
    )
    return place / "many.jsonl"


class Killer:
    """Kills a command in folders of its own and counts what survived."""

    def __init__(self, figures, tmp_path):
        self.figures, self.tmp_path = figures, tmp_path

    def __call__(self, words, sign, seconds, seed, kills, prepare=lambda folder: None):
        for attempt in range(4):
            folder = self.tmp_path / f"killed{attempt}"
            folder.mkdir()
            prepare(folder)
            try:
                deaths = survive(
                    lambda folder=folder: words(folder), folder, sign, seconds, seed, kills
                )
            except TooLate as late:  # the machine is less busy than it was
                print(late)
                seconds, seed = seconds / 2, seed + 1000
                continue
            for _ in deaths.kills:
                self.figures.add("kills survived", 1, of=1)
            return folder
        raise AssertionError("it could not be killed")


@pytest.fixture
def killer(figures, tmp_path):
    return Killer(figures, tmp_path)


def training(name, options):
    """Return what to give next: go on where a run is, or begin if none has learnt anything."""

    def words(folder):
        runs = folder / "runs" / name
        run = newest(runs) if runs.exists() else None
        if run is not None and (run / "config.yaml").exists():
            return ["fit", "--resume", run]
        return ["fit", *options]

    return words


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_training_pairs(trained, killer, seed):
    run, seconds = trained
    kinds = by_extent([ASKED, GROUP], in_turn(3, seed))
    folder = killer(
        training("tiny", PAIRS), "runs/tiny/*/events*", seconds, seed, kinds, prepare=furnish
    )
    same_checkpoints(newest(folder / "runs" / "tiny"), run)


@pytest.mark.parametrize("seed", range(100, 100 + by_extent(1, 2)))
def test_training_a_joint_model(place, killer, seed):
    with chdir(place):
        seconds = here(["fit", *JOINT])
    folder = killer(
        training("joint", JOINT),
        "runs/joint/*/events*",
        seconds,
        seed,
        by_extent([ALONE], in_turn(3, seed)),
        prepare=furnish,
    )
    same_checkpoints(newest(folder / "runs" / "joint"), newest(place / "runs" / "joint"))


class Killed(BaseException):
    """Stands for a kill at a moment that is chosen."""


@pytest.mark.parametrize("moment", range(4))
def test_killed_before_a_checkpoint_is_written(place, tmp_path, monkeypatch, moment):
    """Before the first best one, between best and last, and so on."""
    short = ["--config=tiny.yaml", "--trainer.max_epochs=3", "--trainer.enable_progress_bar=false"]
    elsewhere = "--trainer.logger.init_args.save_dir=short"
    whole = place / "short" / "tiny" / "version_0"
    if not whole.exists():
        with chdir(place):
            here(["fit", *short, elsewhere])
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    save, written = WholeCheckpoints.save_checkpoint, []

    def until_killed(self, checkpoint, path, storage_options=None):
        if len(written) == moment:
            raise Killed
        written.append(Path(path).name)
        save(self, checkpoint, path, storage_options)

    with monkeypatch.context() as patch:
        patch.setattr(WholeCheckpoints, "save_checkpoint", until_killed)
        with pytest.raises(Killed):
            here(["fit", *short, elsewhere])
    if moment == 1:
        assert written == ["best.ckpt"]
    run = tmp_path / "short" / "tiny" / "version_0"
    here(["fit", "--resume", run])
    same_checkpoints(run, whole)
    assert [path.name for path in run.parent.iterdir()] == ["version_0"]


def test_a_folder_in_which_a_training_is_at_work(trained, tmp_path, capsys):
    """Also by a path that is another one, and not when that training has been killed."""
    furnish(tmp_path)
    process = start(["fit", *PAIRS, "--trainer.max_epochs=1000"], tmp_path)
    run = tmp_path / "runs" / "tiny" / "version_0"
    try:
        last = run / "checkpoints" / "last.ckpt"
        wait_for(lambda: last.exists() or process.poll() is not None)
        with chdir(tmp_path), pytest.raises(SystemExit) as ended:
            main(["fit", "--resume", "runs/tiny/version_0"])
        assert ended.value.code == 1
        told = capsys.readouterr().err
        assert "another training is at work there" in told
        assert process.poll() is None
    finally:
        kill(process, GROUP)
    with chdir(tmp_path):
        here(["fit", "--resume", run, "--trainer.max_steps=1"])


@pytest.mark.parametrize("seed", range(200, 200 + ROUNDS))
def test_caching(place, killer, figures, seed):
    path = place / "cached.json"
    number = by_extent(8000, 20000)
    if not path.exists():
        write_documents(path, [document(seed) for seed in range(number)], "docred")
        cached(path, place / "cache")
    words = [sys.executable, "-m", "tests.reliability.caching", path]
    kinds = by_extent([ALONE], in_turn(2, seed))
    folder = killer(lambda _: words, "cache/*.part-*", by_extent(2.0, 5.0), seed, kinds)
    (mine,), (theirs,) = ([*one.glob("cache/cached-*[!k]")] for one in (folder, place))
    assert mine.name == theirs.name
    for name in ("rows.arrow", "manifest.json", "report.json"):
        assert (mine / name).read_bytes() == (theirs / name).read_bytes()
    kept = json.loads((mine / "manifest.json").read_bytes())["summary"]["kept"]
    assert kept == number
    figures.add("documents lost", number - kept)


@pytest.mark.parametrize("seed", range(300, 300 + ROUNDS))
def test_predicting(place, trained, documents, killer, figures, seed):
    run, _ = trained
    words = ["predict", run, documents, "--output"]
    target = place / "predicted.jsonl"
    seconds = here([*words, target])
    kinds = by_extent([GROUP], in_turn(3, seed))
    folder = killer(lambda _: [*words, "out.jsonl"], "out.jsonl.part", seconds, seed, kinds)
    assert (folder / "out.jsonl").read_bytes() == target.read_bytes()
    asked = [one.id for one in read_documents(documents)]
    names = [json.loads(line)["id"] for line in (folder / "out.jsonl").read_text().splitlines()]
    figures.add("documents lost", len(set(asked) - set(names)))
    assert names == asked


@pytest.mark.parametrize("seed", range(400, 400 + ROUNDS))
def test_distilling(place, trained, documents, killer, figures, seed):
    run, _ = trained
    words = ["distil", "--run", run, "--documents", documents, "--output"]
    target = place / "scores.arrow"
    with chdir(place):
        seconds = here([*words, target, "--overwrite"])
    kinds = by_extent([ASKED], in_turn(2, seed))
    folder = killer(
        lambda _: [*words, "out.arrow"],
        ".out.arrow.*.part",
        seconds,
        seed,
        kinds,
        # where the run looks for its tokenizer
        prepare=lambda folder: (folder / "data").symlink_to(place / "data"),
    )
    assert (folder / "out.arrow").read_bytes() == target.read_bytes()
    asked = {one.id for one in read_documents(documents)}
    figures.add("documents lost", len(asked - set(LogitFile(folder / "out.arrow"))))


SWEEP = """
base: tiny.yaml
axes:
  memory:
    none: overlays/memory/none.yaml
    ttm:
seeds: [7]
options: {trainer.max_epochs: 4, trainer.enable_progress_bar: false, checkpoint.keep_last_every: 4}
"""


@pytest.mark.parametrize("seed", range(500, 500 + by_extent(1, 2)))
def test_sweeping(place, killer, seed):
    def prepare(folder):
        furnish(folder)
        (folder / "toy.yaml").write_text(SWEEP)

    prepare(place)
    seconds = 0.0
    with chdir(place):
        runs = read_sweep(Path("toy.yaml")).runs({})
        for run in runs:
            for step in run.steps(Path("runs/toy")):
                seconds += here(step.arguments)
    folder = killer(
        lambda _: ["sweep", "toy.yaml", "--jobs", "2"],
        "runs/toy/*/*/events*",
        seconds,
        seed,
        by_extent([ALONE], in_turn(2, seed)),
        prepare=prepare,
    )
    root = Path("runs/toy")
    for run in runs:
        mine, theirs = folder / run.folder(root), place / run.folder(root)
        same_checkpoints(mine, theirs)
        assert scores_of(mine) == scores_of(theirs)
    assert (folder / root / "sweep.md").exists()


def scores_of(run):
    return json.loads((run / "scores" / "dev.json").read_bytes())["scores"]


CHAIN = """
stages:
  teacher: {fit: tiny.yaml, options: {trainer.max_epochs: 3}, validate: false}
  scores: {distil: teacher, documents: more.jsonl}
  student: {fit: tiny.yaml, init_from: teacher, options: {trainer.max_epochs: 4}}
"""


@pytest.mark.parametrize("seed", range(600, 600 + by_extent(1, 2)))
def test_a_chain(place, documents, killer, figures, seed):
    def prepare(folder):
        furnish(folder)
        (folder / "stages.yaml").write_text(CHAIN)
        (folder / "more.jsonl").write_bytes(documents.read_bytes())

    def execute(words):
        here(words)
        return 0

    prepare(place)
    with chdir(place):
        chain = read_chain(Path("stages.yaml"))
        root = Path("runs/stages")
        if not root.exists():
            assert ChainRun(chain, root, execute, print, QUIET).run(list(chain.stages)) == 0
    options = [f"{key}={value}" for key, value in QUIET.items()]
    folder = killer(
        lambda _: ["chain", "stages.yaml", "--set", *options],
        "runs/stages/chain.json",
        by_extent(30.0, 40.0),
        seed,
        by_extent([ASKED], in_turn(2, seed)),
        prepare=prepare,
    )
    for stage in ("teacher", "student"):
        same_checkpoints(folder / root / stage, place / root / stage)
    assert scores_of(folder / root / "student") == scores_of(place / root / "student")
    # the teacher's checkpoint has the same weights and another place in it, so another checksum
    mine, theirs = (LogitFile(one / root / "scores" / "scores.arrow") for one in (folder, place))
    assert list(mine) == list(theirs)
    for name in theirs:
        for one, two in zip(mine.rows(name), theirs.rows(name), strict=True):
            assert np.array_equal(one, two)
    figures.add("documents lost", len(set(theirs) - set(mine)))
