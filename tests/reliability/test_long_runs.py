"""Long trainings and many documents: nothing grows that has no reason to."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from statistics import median

import pytest

from tests.reliability.extent import LONG, by_extent
from tests.reliability.many_documents import write
from tests.test_training import ROOT, TINY, process

pytestmark = pytest.mark.reliability
WARM_UP = 500
STEPS = by_extent(1_500, 5_000)
COMPARED = by_extent(300, 1_000)  # steps at either end
SLOWER = by_extent(1.15, 1.05)
FEW, MANY = by_extent((2_000, 10_000), (20_000, 100_000))
MEGABYTE = 1 << 20


# --- a long training ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    # with the pictures that users get
    (tmp_path / "tiny.yaml").write_text(TINY.replace("dashboard: {drawings: 0}", "dashboard: {}"))
    return tmp_path


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("workers", [0, 2] if LONG else [2])
def test_a_long_training_takes_no_more_in_the_end(folder, figures, workers):
    measured = folder / "measured.json"
    done = process(
        *("fit", "--config", "tiny.yaml", "--trainer.max_steps", STEPS, "--trainer.max_epochs=-1"),
        *("--data.init_args.batches.num_workers", workers),
        "--trainer.callbacks+=tests.reliability.long_training.Samples",
        f"--trainer.callbacks.init_args.output={measured}",
        cwd=folder,
        timeout=3_500,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(measured.read_text())
    assert len(found["steps"]) == STEPS
    taken = [one for one in found["taken"] if one["step"] > WARM_UP]
    first, last = taken[: COMPARED // 10], taken[-COMPARED // 10 :]

    growth = 100 * (middle(last, "rss") / middle(first, "rss") - 1)
    figures.worst("RSS growth, %", growth)
    assert growth < 3
    if workers:  # a few megabytes each, so a few per cent are nothing
        assert middle(last, "workers_rss") - middle(first, "workers_rss") < 2 * workers * MEGABYTE

    handles = max(one["files"] for one in last) - max(one["files"] for one in first)
    figures.worst("file handles, growth", max(handles, 0))
    assert handles <= 0
    assert max(one["threads"] for one in last) <= max(one["threads"] for one in first)

    # what the machine itself was slower at the end is no slowness of the training
    machine = middle(last, "yardstick") / middle(first, "yardstick")
    steps = differences(found["steps"])
    slower = median(steps[-COMPARED:]) / median(steps[WARM_UP : WARM_UP + COMPARED]) / machine
    epochs = [end - begin for begin, end in epochs_behind(found["epochs"], WARM_UP)]
    share = len(epochs) // 3
    slower_epochs = median(epochs[-share:]) / median(epochs[:share]) / machine
    told = f"{1 / slower:.2f} in steps, {1 / slower_epochs:.2f} in epochs ({workers} workers)"
    figures.note("throughput, last over first", told)
    assert slower < SLOWER
    assert slower_epochs < SLOWER  # with validation, checkpoints and what is logged


def middle(taken, name):
    return median(one[name] for one in taken)


def differences(times):
    return [after - before for before, after in pairwise(times)]


def epochs_behind(epochs, step):
    times = [time for steps, time in epochs if steps >= step]
    return pairwise(times)


# --- many documents -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder, and the tokenizer of its documents."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.yaml").write_text(TINY)
    done = process("fit", "-c", "tiny.yaml", "--trainer.max_epochs", 1, cwd=folder)
    assert done.returncode == 0, done.stderr
    (vocabulary,) = folder.glob("data/*/tokenizer-900")
    return folder / "runs/tiny/version_0", vocabulary


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of few documents and one of many, and where to write."""
    folder = tmp_path_factory.mktemp("documents")
    for count in (FEW, MANY):
        write(folder / f"{count}.jsonl", count)
    return folder


def growth(folder, part, arguments):
    """Return what one more document takes at the most, in bytes; arguments are made by count."""
    peaks = []
    for count in (FEW, MANY):
        output = folder / f"{part}.json"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.reliability.many_documents", part, output),
                *map(str, arguments(count)),
            ],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=1_500,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(output.read_text())
        peaks.append(found["peak"])
    per_document = (peaks[1] - peaks[0]) / (MANY - FEW)
    told = f"{peaks[0] / MEGABYTE:.0f} and {peaks[1] / MEGABYTE:.0f} MiB"
    return per_document, f"{told} for {FEW:,} and {MANY:,}: {per_document:,.0f} bytes a document"


def size(files):
    """Return the bytes of a document in its file."""
    return (files / f"{MANY}.jsonl").stat().st_size / MANY


@pytest.mark.timeout(1_800)
def test_predicting_holds_no_documents(run, files, figures):
    taken, told = growth(
        files,
        "command",
        lambda n: ["predict", run[0], f"{n}.jsonl", "--output", f"{n}.out.jsonl", f"{n}.out.json"],
    )
    figures.note("memory of docre predict", told)
    with (files / f"{MANY}.out.jsonl").open() as lines:
        assert sum(1 for _ in lines) == MANY
    # ids are held, to find one that comes twice: never a document
    assert taken < size(files)
    check_scoring(files, figures)


def check_scoring(files, figures):
    taken, told = growth(files, "command", lambda n: ["score", f"{n}.out.jsonl", f"{n}.jsonl"])
    figures.note("memory of docre score", told)
    assert taken < 20 * size(files)  # gold and predictions are held, as objects


@pytest.mark.timeout(1_800)
def test_caching_and_an_epoch_hold_the_file_alone(run, files, figures):
    taken, told = growth(files, "prepare", lambda n: [f"{n}.jsonl", run[1]])
    figures.note("memory of caching and an epoch", told)
    assert taken < 6 * size(files)  # the file, its lines and their ids


@pytest.mark.timeout(1_800)
def test_facts_hold_no_documents(run, files, figures):
    taken, told = growth(files, "facts", lambda n: [f"{n}.jsonl", run[1]])
    figures.note("memory of the facts of training", told)
    assert taken < 6 * size(files)  # the same; documents would be ten times as large as the file
