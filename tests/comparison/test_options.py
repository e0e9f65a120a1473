"""Which options make two runs different, and what they are called."""

import pytest

from docre.comparison.differing import differing
from docre.comparison.option_names import describe, short_names
from docre.comparison.options import read_options
from docre.errors import DocreError
from tests.comparison.folders import CONFIG, config_of, write_run

MEMORY = "model.head.memory"


def options(tmp_path, name="run", **changes):
    record = {key: changes.pop(key) for key in ("train", "seed") if key in changes}
    return read_options(write_run(tmp_path / name, config=config_of(**changes), **record))


def test_classes_stand_above_their_arguments(tmp_path):
    found = options(tmp_path)
    assert found[MEMORY] == "docre.memory.TokenTuringReader"
    assert found[f"{MEMORY}.slots"] == 200
    assert found["model.rates.head.lr"] == 0.0001
    assert found["data.train"] == "train.json #tttt"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"trainer__logger": None},
        {"data__data_dir": "/elsewhere"},
        {"data__train": "/elsewhere/train.json"},
        {"trainer__enable_progress_bar": False},
    ],
)
def test_seeds_and_places_make_no_difference(tmp_path, change):
    assert options(tmp_path, "b", **change) == options(tmp_path, "a")


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"model__head__memory__slots": 50}, [f"{MEMORY}.slots"]),
        # the arguments go with their class
        ({"model__head__memory": None}, [MEMORY]),
        ({"train": "uuuu"}, ["data.train"]),
        (
            {"trainer__max_epochs": 4, "model__head__width": 8},
            ["model.head.width", "trainer.max_epochs"],
        ),
        ({"data__noise": {"drop": 0.1, "seed": 3}}, ["data.noise.drop"]),
    ],
)
def test_what_differs(tmp_path, change, keys):
    assert sorted(differing([options(tmp_path, "a"), options(tmp_path, "b", **change)])) == keys


def test_arguments_count_where_the_class_is_the_same(tmp_path):
    each = [
        options(tmp_path, "a", model__head__memory=None),
        options(tmp_path, "b"),
        options(tmp_path, "c", model__head__memory__slots=50),
    ]
    assert differing(each) == [MEMORY, f"{MEMORY}.slots"]
    short = short_names([f"{MEMORY}.slots"], {key for one in each for key in one})
    assert [describe(one, f"{MEMORY}.slots", short) for one in each] == [
        "memory=none",
        "slots=200",
        "slots=50",
    ]


def test_settings_that_are_left_out(tmp_path):
    each = [options(tmp_path, "a"), options(tmp_path, "b", data__noise={"drop": 0.1})]
    assert [describe(one, "data.noise.drop", {}) for one in each] == ["noise=none", "drop=0.1"]


def test_names_are_as_short_as_they_can_be():
    every = ["a.encoder.lr", "a.head.lr", "a.head.width", "b.head.lr"]
    assert short_names(every, every) == {
        "a.encoder.lr": "encoder.lr",
        "a.head.lr": "a.head.lr",
        "a.head.width": "width",
        "b.head.lr": "b.head.lr",
    }


def test_true_is_not_one_and_none_is_not_nothing():
    assert differing([{"a": 1, "b": None}, {"a": True}]) == ["a", "b"]


def test_parents_of_other_seeds_are_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, width in ((0, 16), (1, 16), (2, 32)):
        config = config_of(model__head__width=width)
        write_run(tmp_path / "distant" / f"version_{number}", seed=number, config=config)

    def begun_from(path):
        changed = config_of()
        changed["model"]["init_from"] = path
        return read_options(write_run(tmp_path / "run", config=changed))["model.init_from"]

    assert begun_from("distant/version_0") == begun_from("distant/version_1")
    assert begun_from("distant/version_0") != begun_from("distant/version_2")
    best = [begun_from(f"distant/version_{n}/checkpoints/best.ckpt") for n in (0, 1)]
    assert best[0] == best[1]
    # a run that is not there any more: its seed alone makes no difference, its number may
    assert begun_from("gone/seed_1/checkpoints/best.ckpt") == begun_from(
        "gone/seed_2/checkpoints/best.ckpt"
    )
    assert begun_from("gone/version_1") != begun_from("gone/version_2")
    assert begun_from("distant/version_0") != begun_from(None)


@pytest.mark.parametrize("name", ["config.yaml", "run.json", "relations.json"])
def test_a_damaged_file_is_named(tmp_path, name):
    folder = write_run(tmp_path / "run", config=CONFIG)
    (folder / name).write_text("{: [")
    with pytest.raises(DocreError, match=f"{name} cannot be read"):
        read_options(folder)
