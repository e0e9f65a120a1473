"""Which runs are seeds of one row, and what rows are called."""

import statistics

import pytest

from docre.comparison.rows import ComparedRow, group_runs, row_of
from docre.comparison.runs import ScoredRun, TrainedRun
from docre.comparison.scored_on import ScoredOn
from docre.errors import DocreError
from tests.comparison.folders import config_of, write_run

ON = ScoredOn("triples", "test", "test.json", "aaaa", 8, (), ())
NO_MEMORY = config_of(model__head__memory=None)


def slots(number):
    return config_of(model__head__memory__slots=number)


def grouped(tmp_path, folders, names=None):
    """Return the folders of each row; ``folders`` has seed and configuration of each."""
    runs = [
        TrainedRun.read(write_run(tmp_path / name, seed=seed, config=config))
        for name, (seed, config) in folders.items()
    ]
    return {
        name: [run.folder.relative_to(tmp_path).as_posix() for run in group]
        for name, group in group_runs(runs, names or {}).items()
    }


def test_runs_of_a_sweep_are_called_as_their_folders(tmp_path):
    folders = {
        f"sweep/{cell}/seed_{seed}": (seed, config)
        for seed in (1, 2)
        for cell, config in {"none": NO_MEMORY, "slots=50": slots(50)}.items()
    }
    assert grouped(tmp_path, folders) == {
        "none": ["sweep/none/seed_1", "sweep/none/seed_2"],
        "slots=50": ["sweep/slots=50/seed_1", "sweep/slots=50/seed_2"],
    }


def test_else_they_are_called_as_what_they_differ_in(tmp_path):
    folders = {
        "runs/x/version_0": (1, slots(50)),
        "runs/x/version_1": (2, slots(50)),
        "runs/x/version_2": (1, slots(200)),
        "runs/y/version_0": (1, NO_MEMORY),
    }
    found = grouped(tmp_path, folders)
    assert list(found) == ["slots=50", "slots=200", "memory=none"]
    assert found["slots=50"] == ["runs/x/version_0", "runs/x/version_1"]


def test_the_fewest_options_that_tell_rows_apart(tmp_path):
    both = config_of(model__head__memory__slots=50, model__rates__head__lr=3e-4)
    one = config_of(model__head__memory__slots=50)
    folders = {
        f"r/x/version_{number}": (1, config)
        for number, config in enumerate((config_of(), one, both))
    }
    assert list(grouped(tmp_path, dict(list(folders.items())[:2]))) == ["slots=200", "slots=50"]
    assert list(grouped(tmp_path, folders)) == [
        "slots=200, head.lr=0.0001",
        "slots=50, head.lr=0.0001",
        "slots=50, head.lr=0.0003",
    ]


def test_equal_configurations_on_other_data_are_no_seeds_of_each_other(tmp_path):
    runs = [
        TrainedRun.read(write_run(tmp_path / f"x/version_{seed}", seed=seed, train=train))
        for seed, train in enumerate(("aaaaaaaa", "bbbbbbbb"))
    ]
    assert list(group_runs(runs, {})) == [
        "train=train.json #aaaaaaaa",
        "train=train.json #bbbbbbbb",
    ]


def test_names_that_are_given(tmp_path):
    folders = {
        "x/version_0": (1, slots(50)),
        "x/version_1": (2, slots(50)),
        "y/version_0": (1, slots(100)),
        "z/version_0": (1, slots(200)),
    }
    found = grouped(tmp_path, folders, {"A": tmp_path / "x", "B": str(tmp_path / "y*")})
    assert found == {
        "A": ["x/version_0", "x/version_1"],
        "B": ["y/version_0"],
        "z": ["z/version_0"],
    }


def test_names_of_nothing_or_of_the_same(tmp_path):
    folders = {"x/version_0": (1, None)}
    write_run(tmp_path / "other")
    with pytest.raises(DocreError, match=r"A=.*other is none of the runs"):
        grouped(tmp_path, folders, {"A": tmp_path / "other"})
    with pytest.raises(DocreError, match="version_0 would be in A and in B"):
        grouped(tmp_path, folders, {"A": tmp_path / "x", "B": tmp_path / "x"})


def test_names_never_stand_for_two_rows(tmp_path):
    folders = {"x/version_0": (1, slots(50)), "y/version_0": (1, slots(100))}
    found = grouped(tmp_path, folders, {"y": tmp_path / "x"})
    assert list(found.values()) == [["x/version_0"], ["y/version_0"]]


def scored(tmp_path, name, seed, scores, time="2026-01-01"):
    run = TrainedRun.read(write_run(tmp_path / name, seed=seed, time=time))
    return ScoredRun(run, ON, scores, {})


def test_mean_and_standard_deviation(tmp_path):
    values = [0.61, 0.634, 0.598]
    runs = [scored(tmp_path, f"v{k}", 9 - k, {"f1": v}) for k, v in enumerate(values)]
    row, notes = row_of("any", runs)
    assert (row.seeds, notes) == ((7, 8, 9), [])
    assert row.values("f1") == tuple(reversed(values))
    assert row.mean("f1") == pytest.approx(statistics.mean(values))
    assert row.sd("f1") == pytest.approx(statistics.stdev(values))
    assert (row.mean("ign_f1"), row.sd("ign_f1")) == (None, None)


def test_one_run_has_no_spread_and_half_a_score_is_none(tmp_path):
    one = scored(tmp_path, "a", 1, {"f1": 0.6, "ign_f1": 0.5})
    other = scored(tmp_path, "b", 2, {"f1": 0.7})
    assert ComparedRow("a", (one,)).sd("f1") is None
    assert ComparedRow("both", (one, other)).mean("ign_f1") is None


def test_of_two_runs_of_a_seed_the_newer_counts_and_that_is_said(tmp_path):
    old = scored(tmp_path, "old", 1, {"f1": 0.1}, "2026-01-02T00:00:00+00:00")
    new = scored(tmp_path, "new", 1, {"f1": 0.2}, "2026-01-03T00:00:00+00:00")
    row, (note,) = row_of("any", [new, old])
    assert row.values("f1") == (0.2,)
    assert "two runs of seed 1" in note
    assert f"{tmp_path / 'old'} is left out" in note


def test_runs_of_unknown_seeds_all_count(tmp_path):
    each = [scored(tmp_path, name, None, {"f1": 0.1}) for name in "ab"]
    row, notes = row_of("any", each)
    assert (len(row.runs), notes) == (2, [])
