"""The documentation: it builds, its code runs, its commands parse, its reference is complete.

A page marks Python that cannot be run by the fence ```` ```python notest ````; commands with
placeholders such as ``SYSTEM.yaml`` stand in a ```` ```text ```` fence.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import chdir
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec
import pytest

from docre.cli import (
    COMMANDS,
    DATA_COMMANDS,
    TRAINING_COMMANDS,
    _with_values,
    build_parser,
    is_lightnings,
)

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "docre"
PAGES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```\s*$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"\bruns/[\w./-]*version_\d+")
KNOWN = {*COMMANDS, *TRAINING_COMMANDS, "data", "--help", "--version"}
# fences without code of ours
LANGUAGES = {"json", "jsonl", "yaml", "toml", "text", "bibtex", "html", "csv", "xml", "latex"}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    info: str
    text: str


def blocks(page: str) -> Iterator[Block]:
    content = (ROOT / page).read_text(encoding="utf-8")
    for found in _FENCE.finditer(content):
        line = content.count("\n", 0, found.start()) + 1
        text = re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE)
        yield Block(page, line, found[2].strip(), text)


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Yield where a docre command is and its words, without ``docre``."""
    for block in blocks(page):
        if block.info not in ("sh", "bash"):
            continue
        lines = block.text.replace("\\\n", " ").splitlines()
        for line in lines:
            # one line may have several: made && used, or the answer of one in another
            for part in re.split(r"&&|\|\||[|;]", line.split(" #")[0]):
                words = shlex.split(part, comments=True)
                if words and words[0] == "docre":
                    yield f"{page}:{block.line}: {part.strip()}", words[1:]


ALL_COMMANDS = {where: words for page in PAGES for where, words in commands(page)}


@pytest.mark.parametrize("page", PAGES)
def test_fences_say_what_they_are(page):
    """Nothing is left untested by an oversight."""
    lines = re.findall(r"^ *```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 2 * len(list(blocks(page))), f"{page}: a fence that does not end"
    for block in blocks(page):
        where = f"{page}:{block.line}"
        if block.info in ("python", "python notest", "sh", "bash"):
            continue
        assert block.info in LANGUAGES | {""}, f"{where}: a fence of {block.info!r}"
        if block.info == "":
            assert not re.search(r"^\$? ?docre ", block.text, re.MULTILINE), f"{where}: sh or text?"


@pytest.mark.parametrize("page", PAGES)
def test_settings_and_documents_can_be_read(page):
    for block in blocks(page):
        if block.info == "yaml":
            assert msgspec.yaml.decode(block.text), f"{page}:{block.line}"
        elif block.info in ("json", "jsonl"):
            whole = [block.text] if block.info == "json" else block.text.splitlines()
            for text in whole:
                assert json.loads(text), f"{page}:{block.line}"


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_asks_nothing_of_the_network(site):
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=[\"']?([^\"'\s>]+)", html)
        loaded += re.findall(
            r"<link[^>]*rel=[\"']?(?:stylesheet|preload)[^>]*href=[\"']?(\S+)", html
        )
        assert [name for name in loaded if re.match(r"(https?:)?//", name)] == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", path.read_text(encoding="utf-8")), path


def references(site: Path) -> set[str]:
    """Return the names that the reference has a place for."""
    body = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(body).decode().splitlines()}


def test_the_reference_has_every_public_name(site):
    """Whatever a package lists in ``__all__``."""
    known = references(site)
    missing = []
    for path in sorted(PACKAGE.rglob("__init__.py")):
        package = import_module(".".join(path.parent.relative_to(ROOT).parts))
        for name in getattr(package, "__all__", ()):
            made = getattr(package, name)
            home = f"{getattr(made, '__module__', '')}.{getattr(made, '__qualname__', '')}"
            if not {f"{package.__name__}.{name}", home} & known and name != "__version__":
                missing.append(f"{package.__name__}.{name}")
    assert missing == [], "name their module on a page of docs/api/, and give them docstrings"


def test_docstrings_are_rendered(site):
    html = (site / "api" / "losses.html").read_text(encoding="utf-8")
    assert ":class:" not in html
    assert 'href="#docre.losses.Loss"' in html  # what :class:`Loss` became
    assert "<code>[P, 1 + R]</code>" in html  # the note of a shape
    html = (site / "api" / "memory.html").read_text(encoding="utf-8")
    assert 'class="doc-section-title">Examples:' in html
    assert "&gt;&gt;&gt;" in html  # code, not a quotation
    html = (site / "api" / "scoring.html").read_text(encoding="utf-8")
    of_tuple = html.partition('id="docre.scoring.Difference"')[2].partition("Convention")[0]
    assert re.search(r"<code>p_value</code></b>\s*\(<code>.*?>float<", of_tuple)


# Code of the pages


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the files that pages speak of."""
    from docre import write_documents
    from docre.data.formats.official import write_predictions
    from docre.data.synthetic import generate
    from docre.scoring import Prediction

    folder = tmp_path_factory.mktemp("pages")
    documents = list(generate(stop=24))
    splits = {"train": documents[:12], "dev": documents[12:18], "test": documents[18:]}
    for split, made in splits.items():
        write_documents(folder / f"{split}.json", made, "docred")
        write_documents(folder / "corpus" / f"{split}.json", made, "docred")
    shutil.copy(folder / "train.json", folder / "train_annotated.json")
    facts = [["Ada", "London", "born_in"]]
    (folder / "train_annotated.fact").write_text(json.dumps(facts))
    found = [
        Prediction(one.id, label.head, label.tail, label.relation)
        for one in splits["dev"]
        for label in one.relations or ()
    ]
    write_predictions(folder / "result.json", found)
    for name in ("mine", "found"):
        write_documents(folder / f"{name}.jsonl", splits["dev"], "docre")
    texts = [{"id": one.id, "text": " ".join(sum(one.sentences, ()))} for one in splits["test"]]
    (folder / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder, for pages that speak of one."""
    from tests.distillation.runs import fit

    return fit(tmp_path_factory.mktemp("trained"))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.info == "python" for b in blocks(page))]
)
def test_python_runs_from_top_to_bottom(page, files, request, tmp_path, monkeypatch):
    """All blocks of a page in one namespace, in a folder with the files it may speak of."""
    code = [block for block in blocks(page) if block.info == "python"]
    folder = tmp_path / "here"
    shutil.copytree(files, folder)
    for run in sorted({name for block in code for name in _RUN.findall(block.text)}):
        shutil.copytree(request.getfixturevalue("trained"), folder / run)
    monkeypatch.setenv("DOCRE_CACHE", str(tmp_path / "cache"))
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # where its classes are looked for
    with chdir(folder):
        for block in code:
            lines = "\n" * block.line + block.text  # so that an error names the line of the page
            exec(compile(lines, str(ROOT / page), "exec"), module.__dict__)


# Commands of the pages


def stage(words: list[str], folder: Path) -> None:
    """Make what a command needs to be understood: a run folder, a file of documents."""
    for before, word in zip(["", *words], words, strict=False):
        if before == "--run":
            (folder / word / "checkpoints").mkdir(parents=True, exist_ok=True)
            (folder / word / "checkpoints" / "best.ckpt").touch()
            module = "docre.data.modules.ReDocRED"
            (folder / word / "config.yaml").write_text(f"data: {{class_path: {module}}}")
            known = {"types": [], "tokenizer": "t", "features": {}}
            (folder / word / "run.json").write_text(json.dumps(known))
        elif before == "--documents":
            (folder / word).parent.mkdir(parents=True, exist_ok=True)
            (folder / word).touch()


@pytest.mark.parametrize("words", ALL_COMMANDS.values(), ids=ALL_COMMANDS)
def test_commands_are_understood(words, tmp_path, monkeypatch, capsys):
    """The verb is there, its options too; runs and packaged configurations are found."""
    from docre.run_arguments import expand

    monkeypatch.chdir(tmp_path)
    assert words[0] in KNOWN, f"docre has no command {words[0]}"
    if words[-1] == "--help":
        return
    if is_lightnings(words):
        stage(words, tmp_path)
        expand(words)
        return
    try:
        parsed = build_parser().parse_args(list(_with_values(words)))
    except SystemExit:
        pytest.fail(capsys.readouterr().err)
    assert parsed.subcommand == words[0]
    if words[0] == "data":
        assert parsed.data.subcommand in DATA_COMMANDS


def trainings() -> Iterator[object]:
    """Yield the trainings of the pages; slow are those with options that an earlier one has."""
    seen: set[frozenset[str]] = set()
    for where, words in ALL_COMMANDS.items():
        if words[0] != "fit" or "--help" in words:
            continue
        options = {word for word in words if word.startswith("-")}
        kind = frozenset(options - {"-c", "--config", "--print_config"})
        marks = [pytest.mark.slow] if kind in seen or not kind else []
        seen.add(kind)
        yield pytest.param(words, id=where, marks=marks)


@pytest.mark.parametrize("words", [*trainings()])
def test_trainings_are_parsed_whole(words, tmp_path, monkeypatch, capsys):
    from docre import training

    class StopError(Exception):
        """Everything is parsed."""

    class Parsed(training.DocRECLI):
        @staticmethod
        def subcommands():
            return {"fit": training.LightningCLI.subcommands()["fit"]}

        def before_instantiate_classes(self):
            raise StopError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "SUMMARIES", {"fit": training.SUMMARIES["fit"]})
    given = [word for word in words if word != "--print_config"]
    try:
        training.run(given, Parsed)
    except StopError:
        return
    except SystemExit:
        pytest.fail(capsys.readouterr().err[-2000:])


# Examples of the docstrings


def test_examples_in_docstrings_are_right(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner, finder = doctest.DocTestRunner(verbose=False), doctest.DocTestFinder()
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " not in path.read_text(encoding="utf-8"):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for test in finder.find(import_module(name)):
            runner.run(test)
    result = runner.summarize(verbose=False)
    assert result.attempted > 30
    assert result.failed == 0, capsys.readouterr().out
