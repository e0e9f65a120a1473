"""Two processes with a part of the batch each are one process with all of it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from docre.losses import sum_over_ranks
from tests.losses.cases import LOSSES, PRIORS
from tests.losses.rank_worker import (
    NORM_SPLITS,
    NUM_PAIRS,
    SCENE_SPLITS,
    SPLITS,
    make_head,
    make_norm,
    normalised,
    step,
    whole_batch,
)
from tests.losses.scenes import DOCUMENTS, SCENE_LOSSES, Student, scene, scene_step

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What both ranks found, by loss, split and whether means were taken across ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.losses.rank_worker", str(rank), folder / "meet", folder],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for process in started:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    finally:
        for process in started:
            process.kill()
    both = [
        [torch.load(folder / f"{name}{rank}.pt", weights_only=True) for name in ("", "norm")]
        for rank in range(2)
    ]
    return [losses | {"norm": norms} for losses, norms in both]


def close(found, expected):
    assert set(found) - {"calls"} == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", LOSSES)
def test_as_one_process(ranks, name, split):
    expected = step(make_head(), LOSSES[name](PRIORS), *whole_batch())
    for found in ranks:
        close(found[name, split, True], expected)


@pytest.mark.parametrize("name", LOSSES)
def test_own_means(ranks, name):
    features, labels = whole_batch()
    for split in SPLITS:
        own = [
            step(make_head(), LOSSES[name](PRIORS), features[mine], labels[mine])
            for mine in (slice(split), slice(split, None))
        ]
        for found, mine in zip(ranks, own, strict=True):
            for key in ("total", "positive", "negative"):
                assert float(found[name, split, False][key]) == pytest.approx(float(mine[key]))
            for key in ("weight", "bias"):
                averaged = (own[0][key] + own[1][key]) / 2
                torch.testing.assert_close(found[name, split, False][key], averaged)


@pytest.mark.parametrize("name", LOSSES)
def test_own_means_are_something_else(ranks, name):
    found = ranks[0][name, 7, True]["weight"], ranks[0][name, 7, False]["weight"]
    assert not torch.allclose(*found, atol=1e-6)


@pytest.mark.parametrize("split", SCENE_SPLITS)
@pytest.mark.parametrize("name", SCENE_LOSSES)
def test_scenes_as_one_process(ranks, name, split):
    expected = scene_step(Student(), SCENE_LOSSES[name]())
    assert expected["score.weight"].abs().sum() > 0
    for found in ranks:
        close(found[name, split, True], expected)


@pytest.mark.parametrize("name", SCENE_LOSSES)
def test_own_means_of_scenes(ranks, name):
    for split in SCENE_SPLITS:
        own = [
            scene_step(Student(), SCENE_LOSSES[name](), mine)
            for mine in (DOCUMENTS[:split], DOCUMENTS[split:])
        ]
        for found, mine in zip(ranks, own, strict=True):
            assert float(found[name, split, False]["total"]) == pytest.approx(float(mine["total"]))
        averaged = (own[0]["score.weight"] + own[1]["score.weight"]) / 2
        torch.testing.assert_close(ranks[0][name, split, False]["score.weight"], averaged)
        across = ranks[0][name, split, True]["score.weight"]
        assert not torch.allclose(across, averaged, atol=1e-6)


def test_scenes_are_uneven():
    """A rank without pairs, one without labels, and pairs with several labels are met."""
    assert scene(DOCUMENTS[:1])[0].num_pairs == 0
    unlabelled = scene(DOCUMENTS[3:])[0]
    assert unlabelled.num_pairs > 0
    assert len(unlabelled.label_pair) == 0
    whole = scene()[0]
    assert len(set(whole.label_pair.tolist())) < len(whole.label_pair)
    assert set(whole.evidence_label.tolist()) < set(range(len(whole.label_pair)))


@pytest.mark.parametrize(("count", "split"), NORM_SPLITS)
def test_batch_statistics_of_all_ranks(ranks, count, split):
    expected = normalised(*make_norm(), whole_batch()[0][:count])
    assert bool(expected["num_batches_tracked"]) == (count > 1)
    for found in ranks:
        close(found["norm"][count, split], expected)


def test_one_collective(ranks):
    for found in ranks:
        found = {key: result for key, result in found.items() if key != "norm"}
        assert {result["calls"] for key, result in found.items() if key[2]} == {1}
        assert {result["calls"] for key, result in found.items() if not key[2]} == {0}


def test_alone_there_is_nothing_to_do():
    values = torch.ones(3)
    assert sum_over_ranks(values) is values
    assert 0 in SPLITS
    assert NUM_PAIRS in SPLITS
