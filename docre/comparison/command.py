"""``docre compare``: runs against each other, as tables, a picture and bands in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from rich.console import Console

from docre.comparison.comparison import Comparison
from docre.comparison.run_folders import is_there
from docre.errors import DocreError


def compare(
    runs: list[str],
    split: Literal["test", "dev"] = "test",
    baseline: str | None = None,
    names: list[str] | None = None,
    samples: int = 1000,
    seed: int = 0,
    scores: list[str] | None = None,
    markdown: Path | None = None,
    latex: Path | None = None,
    csv: Path | None = None,
    plot: Path | None = None,
    tensorboard: Path | None = None,
    console: Console | None = None,
) -> Comparison:
    """Compare runs: mean and spread over seeds, and differences to a baseline.

    Runs whose configurations differ in nothing but the seed are one row. Rows that were scored on
    other data, labels or facts stand in tables of their own.

    Args:
        runs: Run folders, folders that have runs anywhere below them, or patterns in quotes.
        split: Which scores, test or dev; runs without test scores are shown apart with those of
            dev.
        baseline: Name of a row or folder of a run, which the others are compared with; the first
            row if left out.
        names: Names of rows as NAME=FOLDER, with a folder or pattern of the runs of each.
        samples: Number of resamples for intervals and p-values.
        seed: Seed of the resamples.
        scores: Names of the scores to show, as in score files: macro_f1, intra/f1, frequent/f1,
            relation/NAME/f1; also runs and time. The usual ones if left out.
        markdown: Write the tables to this Markdown file.
        latex: Write the tables to this LaTeX file.
        csv: Write all numbers to this CSV file.
        plot: Write a picture to this file, .png, .svg or .pdf.
        tensorboard: Write bands over seeds of the development scores to this folder.
        console: Where to print; standard output if left out.

    Raises:
        DocreError: If there is no such run, no run has scores, a file is damaged, or a setting
            makes no sense.
    """
    from docre.comparison.comparing import compare as compared
    from docre.comparison.terminal import terminal_tables

    if plot is not None:
        from docre.comparison.plot import check_plot

        check_plot(plot)
    comparison = compared(runs, split, baseline, _named(names or []), samples, seed, scores or ())
    console = console or Console()
    for part in terminal_tables(comparison, console.width):
        console.print(part, highlight=False)
    written: list[Path] = _write_texts(comparison, markdown, latex, csv)
    if plot is not None:
        from docre.comparison.plot import write_plot

        write_plot(comparison, plot)
        written.append(plot)
        if len(comparison.tables) > 1:
            _say(console, f"{plot} shows the first of {len(comparison.tables)} tables")
    if tensorboard is not None:
        from docre.comparison.bands import write_bands

        bands = write_bands(comparison, tensorboard)
        if not bands:
            _say(console, "no row has the log of several seeds: no bands are written")
        written += bands
    for path in written:
        _say(console, f"written to {path}")
    return comparison


def _write_texts(
    comparison: Comparison, markdown: Path | None, latex: Path | None, csv: Path | None
) -> list[Path]:
    from docre.comparison import csv_text as csv_module
    from docre.comparison import latex as latex_module
    from docre.comparison import markdown as markdown_module
    from docre.data.writing import atomic_file

    texts = (
        (markdown, markdown_module.markdown),
        (latex, latex_module.latex),
        (csv, csv_module.csv_text),
    )
    for path, text_of in texts:
        if path is not None:
            with atomic_file(path) as file:
                file.write(text_of(comparison).encode())
    return [path for path, _ in texts if path is not None]


def _named(names: list[str]) -> Mapping[str, str]:
    named: dict[str, str] = {}
    for text in names:
        name, path = _name_and_path(text)
        if name in named:
            raise DocreError(f"--names: {name} is there twice")
        named[name] = path
    return named


def _name_and_path(text: str) -> tuple[str, str]:
    """Split at the first ``=`` that has runs behind it: names and folders may have one too."""
    parts = text.split("=")
    splits = [("=".join(parts[:n]), "=".join(parts[n:])) for n in range(1, len(parts))]
    splits = [(name, path) for name, path in splits if name and path]
    if not splits:
        raise DocreError(f"--names: it is NAME=FOLDER, not {text!r}")
    return next(((name, path) for name, path in splits if is_there(path)), splits[0])


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
