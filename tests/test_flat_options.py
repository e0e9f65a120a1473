"""One table of options for whoever shows or compares runs."""

import pytest

from docre.flat_options import changes_nothing, flat_options, short_class


def part(path, **arguments):
    return {"class_path": path, "init_args": arguments}


def test_classes_stand_above_their_arguments():
    head = part("a.Head", memory=part("a.b.Memory", slots=5), width=None)
    assert flat_options({"model": {"head": head}, "n": {"rate": [0.9, 0.99], "none": []}}) == {
        "model.head": "a.Head",
        "model.head.memory": "a.b.Memory",
        "model.head.memory.slots": 5,
        "model.head.width": None,
        "n.rate": "0.9, 0.99",
        "n.none": "empty",
    }


def test_every_way_to_give_arguments():
    given = {"class_path": "a.B", "init_args": {"x": 1}, "dict_kwargs": {"y": 2}, "z": 3}
    assert flat_options({"p": given}) == {"p": "a.B", "p.x": 1, "p.y": 2, "p.z": 3}
    assert flat_options({"p": [given]}) == {"p": "a.B", "p.B.x": 1, "p.B.y": 2, "p.B.z": 3}


def test_parts_of_lists():
    given = [part("a.B", n=1), "plain", part("c.B", n=2), {"free": 3}]
    assert flat_options({"p": given}, short_class) == {
        "p": "B, plain, B",
        "p.B.n": 1,
        "p.B_2.n": 2,
        "p.3.free": 3,
    }


@pytest.mark.parametrize(
    "name",
    [
        *("dashboard", "dashboard.hparams", "trainer.logger.save_dir", "predictions.file"),
        *("data.data_dir", "data.reading.num_proc", "model.encoder.offline", "stop_early.verbose"),
        *("data.batches.num_workers", "checkpoint.dirpath", "trainer.enable_progress_bar"),
    ],
)
def test_what_cannot_change_the_outcome(name):
    assert changes_nothing(name)
    tree = value = {}
    *above, last = name.split(".")
    for key in above:
        value = value.setdefault(key, {})
    value[last] = 1
    assert flat_options({**tree, "kept": 1}) == {"kept": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("trainer.max_epochs", "checkpoint.mode", "select_on", "data.reading.limit"),
        *("model.dashboard", "trainer.loggers", "data.batches.batch_size", "stop_early.patience"),
    ],
)
def test_what_can(name):
    assert not changes_nothing(name)
