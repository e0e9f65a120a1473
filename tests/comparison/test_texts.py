"""A comparison as Markdown, LaTeX, CSV and in the terminal says the same numbers."""

import csv
import io
import re

import pytest
from rich.console import Console

from docre.comparison import compare
from docre.comparison.csv_text import COLUMNS, csv_text
from docre.comparison.latex import latex
from docre.comparison.markdown import markdown
from docre.comparison.terminal import terminal_tables
from docre.markdown_text import plain
from tests.comparison.folders import config_of, joint_scores_of, scores_of, write_run

HARD = r"50% & more_slots #1 {x} $y$ ~^\ <b> | `c`"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A clear winner, two seeds each, and a third row on other data; one name is hard to write."""
    folder = tmp_path_factory.mktemp("runs")
    for name, width, quality in (("base", 4, 0.3), ("good", 8, 0.9)):
        for seed in (1, 2):
            config = config_of(model__head__width=width)
            write_run(folder / name / f"seed_{seed}", seed, config, scores_of(quality, seed))
    write_run(folder / "other" / "seed_1", 1, config_of(), scores_of(0.5, 1), checksum="bbbb")
    return compare([folder], names={HARD: folder / "good"}, samples=200)


def f1_cell(found, name):
    row = found.row(name)
    return f"{100 * row.mean('f1'):.2f}", f"{100 * row.sd('f1'):.2f}"


def test_markdown(found):
    text = markdown(found)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    blocks = [[c.strip() for c in row] for row in rows]
    # scores, differences, scores on other data; each with the marks of its columns
    assert [len(row) for row in blocks] == [9] * 4 + [6] * 4 + [9] * 3
    mean, sd = f1_cell(found, HARD)
    assert blocks[3][0] == plain(HARD)
    assert blocks[3][2] == f"**{mean}** ± {sd}"
    assert blocks[2][2] == "{} ± {}".format(*f1_cell(found, "base"))
    assert "Not comparable with the first table: other data" in text
    assert "200 resamples of documents and of seeds" in text
    assert "one run only" in text
    tested = found.tables[0].tested(HARD, "f1")
    low, high = (f"{100 * end:+.2f}" for end in (tested.low, tested.high))
    difference, p_value = f"{100 * tested.difference:+.2f}\\*", f"{tested.p_value:.3f}"
    assert blocks[6][1:] == ["F1", difference, f"{low} to {high}", p_value, "2 of 2"]


def test_latex_is_balanced_and_escaped(found):
    text = latex(found)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    stack = []
    for begin, end in re.findall(r"\\begin\{(\w+)\}|\\end\{(\w+)\}", body):
        if begin:
            stack.append(begin)
        else:
            assert stack.pop() == end
    assert stack == []
    bare = re.sub(r"\\[&%$#_{}]", "", body)
    depth = 0
    for letter in bare:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    outside = re.sub(r"\$[^$]*\$", "", bare)
    for letter in "%#_~^<>|±":
        assert letter not in outside, letter
    # as many cells in each line as there are columns
    for table in re.findall(r"\\begin\{tabular\}\{(l\w*)\}(.*?)\\end\{tabular\}", bare, re.DOTALL):
        lines = [line for line in table[1].splitlines() if line.rstrip().endswith(r"\\")]
        assert lines
        assert {line.count("&") for line in lines} == {len(table[0]) - 1}
    mean, sd = f1_cell(found, HARD)
    assert f"\\textbf{{{mean}}}$^{{*}}$ $\\pm$ {sd}" in text
    assert r"50\% \& more\_slots \#1 \{x\} \$y\$ \textasciitilde{}\textasciicircum{}" in text
    assert r"\usepackage{booktabs}" in text.splitlines()[0]


def test_csv_has_every_number_unrounded(found):
    lines = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert tuple(lines[0]) == COLUMNS
    by = {(line["row"], line["score"]): line for line in lines}
    assert len(by) == len(lines) == 3 * len(found.tables[0].scores)
    for table in found.tables:
        for row in table.rows:
            for score in table.scores:
                line = by[row.name, score]
                assert float(line["mean"]) == row.mean(score)
                assert line["sd"] == ("" if row.sd(score) is None else str(row.sd(score)))
                values = dict(pair.split(":") for pair in line["values"].split())
                assert {int(s): float(v) for s, v in values.items()} == dict(
                    zip(row.seeds, row.values(score), strict=True)
                )
                tested = table.tested(row.name, score)
                if tested is None:
                    assert line["p_value"] == ""
                else:
                    got = [float(line[k]) for k in ("difference", "low", "high", "p_value")]
                    assert got == list(tested)
    assert [by[HARD, "f1"][k] for k in ("significant", "best", "baseline")] == ["1", "1", "base"]
    assert {line["table"] for line in lines} == {"1", "2"}


def test_terminal_fits_into_eighty_columns(found):
    console = Console(file=io.StringIO(), width=80)
    for part in terminal_tables(found):
        console.print(part, highlight=False)
    text = console.file.getvalue()
    for name in ("base", HARD):
        for part in f1_cell(found, name):
            assert part in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_one_row_has_no_table_of_differences(tmp_path):
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    text = markdown(compare([tmp_path]))
    assert "Difference" not in text
    assert "±" not in text


def test_names_in_square_brackets_are_no_markup(tmp_path):
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    console = Console(file=io.StringIO(), width=80)
    for part in terminal_tables(compare([tmp_path], names={"[bold]x[/]": tmp_path / "a"})):
        console.print(part, highlight=False)
    assert "[bold]x[/]" in console.file.getvalue()


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("joint")
    for number, name in enumerate(("a_rather_long_name_of_a_row", "another_name_of_some_length")):
        config = config_of(model__head__width=number)
        for seed in (1, 2):
            scores = joint_scores_of(0.7 + number / 10, seed)
            write_run(folder / name / f"seed_{seed}", seed, config, scores)
    return compare([folder], samples=20)


@pytest.mark.parametrize("width", [50, 60, 70, 80, 90, 100, 120])
def test_names_are_read_in_a_terminal_of_any_width(joint, width):
    console = Console(file=io.StringIO(), width=width)
    for part in terminal_tables(joint, width):
        console.print(part, highlight=False)
    text = console.file.getvalue()
    assert "a_rather_long_name" in text
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    head = text.split("───")[0]
    left_out = re.search(r"no room for: ([^;]*);", " ".join(text.split()))
    assert "strict" in head
    for name in ("relaxed", "entity", "coreference", "mention"):
        assert (name in head) != (left_out is not None and name in left_out[1]), name
    assert (left_out is None) == (width >= 100)


def test_latex_is_ready_for_a_paper(found):
    text = latex(found)
    labels = re.findall(r"\\label\{(tab:[\w-]+)\}", text)
    assert labels == ["tab:test-scores", "tab:test-differences", "tab:test-scores-2"]
    first = text.split(r"\end{table}")[0]
    assert "base (baseline) &" in first
    assert "runs &" not in text
    # one block of notes, to the left, without what is of no use to readers of a paper
    assert first.count(r"\begin{minipage}{\linewidth}") == first.count(r"\raggedright") == 1
    assert "paired bootstrap" in first
    assert "% rows differ in" in text
    low = f"{100 * found.tables[0].tested(HARD, 'f1').low:+.2f}"
    assert f"${low}$ to $" in text


def test_signs_of_numbers_are_no_hyphens(tmp_path):
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    name = "x=-1, 1e-05, 2026-01-02, a-b, +0.5 to -0.5"
    text = latex(compare([tmp_path], names={name: tmp_path / "a"}))
    assert "x=$-1$, 1e-05, 2026-01-02, a-b, $+0.5$ to $-0.5$ &" in text


def test_columns_that_are_no_scores(tmp_path):
    write_run(tmp_path / "a", 1, None, scores_of(0.5, 1))
    found = compare([tmp_path], scores=["runs", "recall", "macro_f1"])
    assert " & runs & R & macro F1" in latex(found)
    assert "|  | runs | R | macro F1 |" in markdown(found)
    lines = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [line["score"] for line in lines] == ["recall", "macro_f1"]
