"""Command lines of stages."""

from pathlib import Path

import pytest

from docre.chain.commands import goes_on, steps_of
from docre.chain.stages import read_chain
from tests.chain.test_stages import WHOLE

LOGGER = "--trainer.logger.init_args"


@pytest.fixture
def chain(tmp_path):
    (tmp_path / "toy.yaml").write_text(WHOLE)
    return read_chain(tmp_path / "toy.yaml")


def place(stage):
    return [f"{LOGGER}.save_dir=out", f"{LOGGER}.name=toy", f"{LOGGER}.version={stage}"]


def lines(chain, name, extra=None):
    return [list(step.arguments) for step in steps_of(chain, name, Path("out/toy"), extra or {})]


def test_command_lines(chain):
    assert lines(chain, "teacher") == [
        ["fit", "--config=teacher.yaml", *place("teacher")],
        ["validate", "--run", "out/toy/teacher"],
    ]
    assert lines(chain, "scores", {"trainer.devices": "2"}) == [
        [
            *("distil", "--run", "out/toy/teacher", "--documents", "distant.json"),
            *("--output", "out/toy/scores/scores.arrow", "--top_k=16"),
        ]
    ]
    assert lines(chain, "student") == [
        [
            *("fit", "--config=student.yaml", "--config=small.yaml", *place("student")),
            "--model.teacher.init_args.path=out/toy/scores/scores.arrow",
            "--trainer.max_epochs=2",
        ]
    ]
    assert lines(chain, "finetune") == [
        [
            *("fit", "--config=finetune.yaml", *place("finetune")),
            "--model.init_from=out/toy/student",
            "--model.teacher.init_args.run=out/toy/teacher",
        ],
        ["validate", "--run", "out/toy/finetune"],
        ["test", "--run", "out/toy/finetune"],
    ]
    assert lines(chain, "fused") == [["fuse", "--run", "out/toy/finetune"]]


def test_options_for_all_trainings_count_more_than_those_of_a_stage(chain):
    (fit,) = lines(chain, "student", {"trainer.devices": "2", "trainer.max_epochs": "1"})
    assert fit[-2:] == ["--trainer.max_epochs=1", "--trainer.devices=2"]
    assert lines(chain, "fused", {"trainer.devices": "2"}) == lines(chain, "fused")


def test_a_training_goes_on_where_it_has_a_last_epoch(chain, tmp_path):
    folder = tmp_path / "toy"
    fit, validate = steps_of(chain, "teacher", folder, {})
    assert goes_on(fit) == fit
    last = folder / "teacher" / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    assert goes_on(fit).arguments == (*fit.arguments, f"--ckpt_path={last}")
    assert goes_on(validate) == validate


def test_text_can_be_pasted_into_a_shell(chain):
    (fit,) = steps_of(chain, "student", Path("my runs/toy"), {"model.x": '{"a": 1}'})
    assert fit.text.startswith("docre fit --config=student.yaml")
    assert f"'{LOGGER}.save_dir=my runs'" in fit.text
    assert """'--model.x={"a": 1}'""" in fit.text
