"""What a chain file may say, and what is said about one that may not."""

from pathlib import Path

import pytest

from docre.chain.stages import (
    DistilStage,
    FitStage,
    FuseStage,
    find_chain,
    option_text,
    read_chain,
    references,
)
from docre.configs import config_folder
from docre.errors import DocreError

WHOLE = """
stages:
  teacher:
    fit: teacher.yaml
  scores:
    distil: teacher
    documents: distant.json
    options: {top_k: 16}
  student:
    fit: [student.yaml, small.yaml]
    teacher: scores
    options: {trainer.max_epochs: 2}
    validate: false
  finetune:
    fit: finetune.yaml
    init_from: student
    teacher: teacher
    test: true
  fused:
    fuse: finetune
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "toy.yaml"

    def write(text):
        path.write_text(text)
        return path

    return write


def test_a_whole_chain(file):
    chain = read_chain(file(WHOLE))
    assert chain.name == "toy"
    assert dict(chain.stages) == {
        "teacher": FitStage(fit="teacher.yaml"),
        "scores": DistilStage(distil="teacher", documents="distant.json", options={"top_k": 16}),
        "student": FitStage(
            fit=["student.yaml", "small.yaml"],
            teacher="scores",
            options={"trainer.max_epochs": 2},
            validate=False,
        ),
        "finetune": FitStage(
            fit="finetune.yaml", init_from="student", teacher="teacher", test=True
        ),
        "fused": FuseStage(fuse="finetune"),
    }
    assert list(chain.stages) == ["teacher", "scores", "student", "finetune", "fused"]
    assert chain.stages["teacher"].configs == ["teacher.yaml"]
    assert [references(stage) for stage in chain.stages.values()] == [
        {},
        {"distil": "teacher"},
        {"teacher": "scores"},
        {"init_from": "student", "teacher": "teacher"},
        {"fuse": "finetune"},
    ]


A = "stages: {a: {fit: x.yaml}, "
WRONG = {
    "a: [": "this is no YAML",
    "": "stages: a chain has its stages there",
    "stages: []": "stages: a chain has its stages there",
    "stages: {}": "stages: there is none",
    "stages: {a: {fit: x}}\nname: y": "name: no such key, a chain has stages only",
    "stages:\n  a: {fit: x}\n  a: {fit: y}": "a stands there twice",
    "stages: {a: {fit: x, fit: y}}": "fit stands there twice",
    "stages: {a: x.yaml}": "stages.a: expected the keys of a stage, got 'x.yaml'",
    "stages: {a: {}}": "stages.a: one of fit, distil, fuse says what it does; here is none",
    "stages: {a: {fit: x, fuse: y}}": "stages.a: one of fit, distil, fuse says what it does; here "
    "is fit and fuse",
    "stages: {a: {fit: x, tests: true}}": "stages.a.tests: no such key; did you mean test?; known: "
    "fit, init_from, teacher, options, validate, test",
    "stages: {a: {fit: x, test: 1}}": "stages.a.test: Expected `bool`, got `int`",
    "stages: {a: {fit: [x, 2]}}": "stages.a.fit[1]: Expected `str`, got `int`",
    "stages: {a: {fit: []}}": "stages.a.fit: names no configuration",
    "stages: {a: {fit: ''}}": "stages.a.fit: names no configuration",
    A + "b: {distil: a}}": "stages.b: Object missing required field `documents`",
    A + "b: {distil: a, documents: d, test: true}}": "stages.b.test: no such key",
    A + "b: {fit: x, init_from: aa}}": "stages.b.init_from: there is no stage aa; did you mean a?",
    A + "b: {fit: x, init_from: runs/zz}}": "options: {model.init_from: FOLDER}",
    A + "b: {fit: x, init_from: b}}": "stages.b.init_from: b is not an earlier stage",
    A + "b: {fit: x, teacher: c}, c: {fit: x}}": "stages.b.teacher: c is not an earlier stage",
    A + "b: {fuse: a}, c: {fit: x, init_from: b}}": "stages.c.init_from: b is a fuse stage, "
    "expected one that has fit",
    A + "b: {fuse: a}, c: {fit: x, teacher: b}}": "expected one that has fit or distil",
    "stages: {a: {fit: x, options: [y]}}": "stages.a.options: Expected `object`, got `array`",
    "stages: {a: {fit: x, options: {--trainer.x: 1}}}": "stages.a.options: '--trainer.x' is no "
    "option; they are written without dashes",
    "stages: {a: {fit: x, options: {3: 1}}}": "stages.a.options",
    "stages: {a: {fit: x, options: {ckpt_path: y}}}": "stages.a.options.ckpt_path: the chain",
    "stages: {a: {fit: x, options: {trainer.logger: false}}}": "stages.a.options.trainer.logger",
    "stages: {a: {fit: x, options: {trainer.logger.init_args.name: y}}}": "what trainer.logger is",
    A + "b: {fit: x, init_from: a, options: {model.init_from: y}}}": "stages.b.options.model.init",
    A + "b: {fit: x, teacher: a, options: {model.teacher.init_args.run: y}}}": "model.teacher.",
    A + "b: {fuse: a, options: {run: y}}}": "stages.b.options.run: the chain itself says",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_errors_name_file_and_key(file, text):
    path = file(text)
    with pytest.raises(DocreError) as caught:
        read_chain(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert WRONG[text] in str(caught.value)


@pytest.mark.parametrize(
    "name", ["1", "a.b", "a/b", "-a", "..", "null", "'null'", "'on'", "version_3"]
)
def test_names_of_stages_are_folders_and_plain_values(file, name):
    with pytest.raises(DocreError, match="a stage has a name of letters"):
        read_chain(file(f"stages: {{{name}: {{fit: x}}}}"))


def test_options_that_only_look_like_those_of_the_chain(file):
    text = "stages: {a: {fit: x, options: {trainer.logger_x: 1, model.init_from: runs/old}}}"
    assert read_chain(file(text)).stages["a"].options["model.init_from"] == "runs/old"


@pytest.mark.parametrize(
    ("value", "text"),
    [(2, "2"), (1e-5, "1e-05"), (True, "true"), (None, "null"), ("a b", "a b"), ([1], "[1]")],
)
def test_values_on_a_command_line(value, text):
    assert option_text(value) == text


def test_packaged_chains_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packaged = config_folder() / "chains" / "redocred_ttm.yaml"
    for name in ("redocred_ttm", "redocred_ttm.yaml", "chains/redocred_ttm", str(packaged)):
        assert find_chain(name) == packaged
    with pytest.raises(DocreError, match="did you mean chains/redocred_ttm"):
        find_chain("redocred_tmm")
    Path("redocred_ttm").write_text("")  # a file counts more
    assert find_chain("redocred_ttm") == Path("redocred_ttm")
