"""``docre compare`` prints tables and writes files."""

import csv
import io

import pytest
from rich.console import Console

from docre.cli import Command, _parser_of
from docre.comparison.command import compare
from docre.errors import DocreError
from tests.comparison.folders import config_of, scores_of, write_log, write_run

COMMAND = Command("docre.comparison.command:compare", "compare runs", ("console",))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for width in (4, 8):
        for seed in (1, 2):
            config = config_of(model__head__width=width)
            scores = scores_of(width / 10, seed)
            write_run(folder / f"w{width}" / f"seed_{seed}", seed, config, scores)
            write_log(folder / f"w{width}" / f"seed_{seed}", {"val/f1": [(1, 0.1), (2, 0.2)]})
    return folder


def printed(*arguments, **options):
    console = Console(file=io.StringIO(), width=100)
    found = compare(*arguments, samples=50, console=console, **options)
    return found, console.file.getvalue()


def test_everything_at_once(runs, tmp_path):
    paths = {
        "markdown": tmp_path / "a.md",
        "latex": tmp_path / "a.tex",
        "csv": tmp_path / "a.csv",
        "plot": tmp_path / "a.png",
        "tensorboard": tmp_path / "bands",
    }
    found, text = printed([str(runs)], baseline="w8", **paths)
    for path in paths.values():
        assert path.exists()
        assert f"written to {path}" in text
    assert found.tables[0].baseline == "w8"
    assert "Difference to w8, in points" in text
    assert "**Scores in percent" in paths["markdown"].read_text()
    assert r"\begin{tabular}" in paths["latex"].read_text()
    with paths["csv"].open(newline="") as file:
        assert {line["row"] for line in csv.DictReader(file)} == {"w4", "w8"}
    assert sorted(path.name for path in paths["tensorboard"].iterdir()) == ["w4", "w8"]


def test_names(runs, tmp_path):
    _, text = printed([str(runs)], names=[f"four={runs / 'w4'}"])
    assert "four" in text
    assert "w4" not in text.split("\n- ")[0]
    found, _ = printed([str(runs)], names=[f"width=4={runs / 'w4'}"])
    assert found.tables[0].rows[0].name == "width=4"
    equal = write_run(tmp_path / "memory=none" / "seed_1", 1, None, scores_of(0.5, 1))
    found, _ = printed([str(equal)], names=[f"A={equal}"])
    assert found.tables[0].rows[0].name == "A"
    for wrong in ("four", "=x", "four="):
        with pytest.raises(DocreError, match="--names: it is NAME=FOLDER"):
            compare([str(runs)], names=[wrong])
    with pytest.raises(DocreError, match="--names: a is there twice"):
        compare([str(runs)], names=[f"a={runs / 'w4'}", f"a={runs / 'w8'}"])


def test_a_picture_of_no_format_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(DocreError, match="--plot must end in"):
        compare([str(tmp_path / "nothing")], plot=tmp_path / "a.gif")


def test_what_is_not_written_is_said(runs, tmp_path):
    _, text = printed([str(runs / "w4" / "seed_1")], tensorboard=tmp_path / "bands")
    assert "no row has the log of several seeds: no bands are written" in text
    write_run(tmp_path / "other", 1, None, scores_of(0.5, 1), checksum="bbbb")
    plot = tmp_path / "a.svg"
    _, text = printed([str(runs), str(tmp_path / "other")], plot=plot)
    assert f"{plot} shows the first of 2 tables" in text


def test_words_of_a_shell():
    words = ["runs/a", "runs/b", "--split", "dev", "--names", "A=runs/a", "B=runs/b"]
    got = _parser_of(COMMAND).parse_args(words)
    assert (got.runs, got.split, got.names) == (
        ["runs/a", "runs/b"],
        "dev",
        ["A=runs/a", "B=runs/b"],
    )
