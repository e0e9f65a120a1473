"""The template project, the bricks-only example and the tutorial work as they stand."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from docre.testing import DataModuleTester
from tests.testing.broken import failures

ROOT = Path(__file__).resolve().parents[2]
PLUGIN, BRICKS = ROOT / "examples/plugin", ROOT / "examples/bricks_only"
PAGE = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
SMALL = (
    *("--trainer.max_steps", "3", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"),
)
FEW = ("--data.train_documents", "12", "--data.dev_documents", "4", "--data.test_documents", "4")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A copy of the template, whose package can be imported while a test runs."""
    folder = tmp_path / "plugin"
    shutil.copytree(PLUGIN, folder, ignore=shutil.ignore_patterns("*.jsonl", "*.egg-info"))
    monkeypatch.syspath_prepend(str(folder / "src"))
    monkeypatch.setenv("DOCRE_CACHE", str(tmp_path / "cache"))
    yield folder
    for name in [name for name in sys.modules if name.startswith("my_docre_plugin")]:
        del sys.modules[name]


def loaded(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the template ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_pieces_of_the_template_pass(here, tmp_path):
    module = loaded(here / "tests/test_pieces.py", "template_tests")
    suites = [value for name, value in vars(module).items() if name.startswith("Test")]
    assert len(suites) == 5
    for suite in suites:
        given = (tmp_path,) if issubclass(suite, DataModuleTester) else ()
        assert failures(suite, *given) == {}, suite


@pytest.mark.parametrize(
    "configs",
    [
        ("my_pieces.yaml",),
        pytest.param(("my_pieces.yaml", "my_texts.yaml"), marks=pytest.mark.slow),
    ],
    ids=len,
)
def test_the_configurations_train(here, configs):
    from docre import training

    arguments = ["fit", "--config", "quickstart.yaml"]
    arguments += [word for config in configs for word in ("--config", config)]
    with chdir(here):
        made = training.run([*arguments, *SMALL, *(FEW if len(configs) == 1 else ())])
    names = {type(part).__name__ for part in made.model.modules()}
    assert {"PerceptronHead", "BetweenContext", "SlotMemory", "LogisticLoss"} <= names
    data = "SyntheticDocRED" if len(configs) == 1 else "NameTexts"
    assert type(made.datamodule).__name__ == data
    logged = made.trainer.logged_metrics
    assert {"train/loss/positive", "train/loss/negative"} <= set(logged)
    assert made.trainer.global_step >= 2
    assert (here / made.trainer.log_dir / "checkpoints/best.ckpt").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no heading", "a document is a heading, a text and relations"),
        ("# t\n[PER Mia] sings.\nMia | born in | Arle", r"\('Mia', 'born in', 'Arle'\) is not"),
    ],
)
def test_texts_that_are_not_as_they_should_be(here, text, message):
    from docre.errors import DocreError

    package = importlib.import_module("my_docre_plugin.name_texts")
    path = here / "wrong.txt"
    path.write_text(text)
    with pytest.raises(DocreError, match=message):
        list(package.documents_of(path))
    with pytest.raises(DocreError, match=r"has no train\.txt"):
        package.NameTexts(str(here / "src"), relations=["r"], types=[])


@pytest.mark.slow
def test_the_template_can_be_installed(here, tmp_path):
    """As its README says, but into a folder, and on a smaller corpus."""
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    run([*pip, "--target", str(target), "."], here, tmp_path)
    shutil.rmtree(here / "src")  # so that what is found is what was installed
    shutil.rmtree(here / "build", ignore_errors=True)
    environment = {"PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = run([*tests, "-o", "pythonpath="], here, tmp_path, environment)
    assert re.search(r"\d{3} passed", done.stdout)
    commands = [line for line in blocks("text")[-1].splitlines() if line.startswith("docre")]
    assert commands == re.findall(r"^docre .*", (PLUGIN / "README.md").read_text(), re.M)
    for number, command in enumerate(commands):
        words = [sys.executable, "-m", "docre", *shlex.split(command)[1:], *SMALL]
        done = run([*words, *(() if number else FEW)], here, tmp_path, environment)
        assert "docre test --run" in done.stdout


def run(command, folder, tmp_path, environment=None):
    made = {**os.environ, "DOCRE_CACHE": str(tmp_path / "cache"), **(environment or {})}
    done = subprocess.run(
        command, cwd=folder, env=made, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


# --- bricks alone ---------------------------------------------------------------------------------


def test_bricks_alone_learn():
    module = loaded(BRICKS / "train.py", "bricks_only_train")
    assert module.main(epochs=2) > 0.9


def test_bricks_alone_have_no_data_and_no_model_of_docre():
    tree = ast.parse((BRICKS / "train.py").read_text())
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in names if name.split(".")[0] == "docre"}
    rooms = {"docre.heads", "docre.memory", "docre.losses"}
    assert rooms <= ours <= rooms | {"docre.batch", "docre.outputs", "docre.decoding"}


# --- the tutorial ---------------------------------------------------------------------------------


@pytest.fixture
def page(monkeypatch, capsys):
    """The code of the page, run from top to bottom."""
    module = ModuleType("plugins_page")
    monkeypatch.setitem(sys.modules, "plugins_page", module)
    exec(compile("\n".join(blocks("python")), "docs/plugins.md", "exec"), module.__dict__)
    module.said = capsys.readouterr().out
    return module


def test_the_tutorial_runs_and_its_pieces_pass(page, tmp_path):
    suites = {name: value for name, value in vars(page).items() if name.startswith("Test")}
    assert len(suites) == 6
    for name, suite in suites.items():
        given = (tmp_path,) if issubclass(suite, DataModuleTester) else ()
        assert failures(suite, *given) == {}, name
    message = next(block for block in blocks("text") if block.startswith("MeanMemory"))
    assert page.said.split(" (largest")[0] == message.split(" (largest")[0]


def test_the_page_shows_the_files_of_the_template():
    shown = yaml.safe_load(next(block for block in blocks("yaml")))
    assert shown == yaml.safe_load((PLUGIN / "my_pieces.yaml").read_text())


def test_the_page_names_every_tester():
    import docre.testing

    testers = {name for name in docre.testing.__all__ if name.endswith("Tester")}
    named = set(re.findall(r"^\| `(\w+Tester)`", PAGE, re.M))
    assert named == testers - {"ModuleTester", "PairTester"}
    attributes = set(re.findall(r"`(\w+)(?: = \w+)?`", PAGE))
    for name in ("sees_other_documents", "without_gradient", "judges_labels", "compile_backend"):
        assert name in attributes
