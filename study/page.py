"""``docs/results.md``: the tables between its marks are made from the runs that were kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from docre.comparison import Comparison, compare
from docre.comparison.comparison import ComparisonTable
from docre.comparison.plot import write_plot
from docre.comparison.rows import ComparedRow
from docre.data.writing import atomic_file
from docre.markdown_text import table as markdown_table
from study.behind import trained_cell
from study.curves import write_curves
from study.leak import leak_table
from study.lengths import f1_by_length, headings
from study.logs import peak_memory, speed
from study.places import KEPT, REPOSITORY
from study.ranking import ranking_table
from study.rates import rates_table
from study.shares import share_table
from study.table import Grid, Table
from study.tables import GRIDS, HEADINGS, LENGTHS, TABLES

PAGE = REPOSITORY / "docs" / "results.md"
_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


PICTURES = ("main", "order")
# a block with such an ending is of the same runs as the table
_BEHIND = {"_ranking": ranking_table, "_share": share_table}
# what stands beside the scores of a row
_BESIDE = ("difference", "runs", "minutes", "docs/s", "GB")


def write_page(page: Path = PAGE, kept: Path = KEPT) -> None:
    """Make all tables and pictures of the page anew."""
    text = with_tables(page.read_text(), kept)
    with atomic_file(page) as file:
        file.write(text.encode())
    for name in PICTURES:
        if there := runs_of(TABLES[name], kept):
            chosen = replace(TABLES[name], scores=("f1",))
            picture = page.parent / "images" / f"results_{name}.png"
            write_plot(compared(chosen, there), picture)
    write_curves(kept, page.parent / "images" / "results_noise.png")


def with_tables(text: str, kept: Path = KEPT) -> str:
    """Return the page with its tables as the kept runs have them.

    Raises:
        KeyError: If there is no such table.
    """
    return _BLOCK.sub(lambda block: block[1] + render(block[2], kept) + block[3], text)


def render(name: str, kept: Path = KEPT) -> str:
    """Return one table in Markdown, with what is to be known about it."""
    if name == "leak":
        return leak_table() + "\n"
    if name == "rates":
        return rates_table(kept)
    if name in GRIDS:
        return _grid(GRIDS[name], kept)
    for ending, made in _BEHIND.items():
        if name.endswith(ending):
            return made(_folders(TABLES[name.removesuffix(ending)], kept))
    known = TABLES[name]
    there = runs_of(known, kept)
    if known.scores == LENGTHS:
        rows = [
            [known.labels[cell], *(f"{100 * f1:.1f}" for f1 in f1_by_length(folder))]
            for cell, folder in there.items()
        ]
        return (markdown_table(["", *headings()], rows, numbers=True) + "\n") if rows else ""
    columns = [HEADINGS[score] for score in known.scores]
    titles = ["", *columns, *([] if known.is_bare else _BESIDE)]
    found = compared(known, there) if there else None
    differing = {} if known.is_bare else differences(known, there)
    rows = [_row(known, found, cell, differing) for cell in there] if found is not None else []
    written = markdown_table(titles, rows, numbers=True) if rows else ""
    return "\n".join((written, "", *_missing(known, there), _footer(known, found), ""))


def _folders(known: Table, kept: Path) -> dict[str, Path]:
    return {known.labels[cell]: folder for cell, folder in runs_of(known, kept).items()}


def runs_of(known: Table, kept: Path) -> dict[str, Path]:
    """Return the folder of each cell that was run."""
    folders = {cell: kept / place(known, cell) for cell in known.labels}
    return {cell: folder for cell, folder in folders.items() if any(folder.glob("seed_*"))}


def place(known: Table, cell: str) -> str:
    """Return ``SWEEP/CELL`` of a cell of a table."""
    return cell if "/" in cell else f"{known.sweep}/{cell}"


def _grid(known: Grid, kept: Path) -> str:
    folders = {pair: kept / known.sweep / cell for pair, cell in known.cells.items()}
    there = {pair: folder for pair, folder in folders.items() if any(folder.glob("seed_*"))}
    names = {known.cells[pair]: folder for pair, folder in there.items()}
    found = compare(list(names.values()), names=names, scores=("f1",)) if names else None
    rows = []
    for row in known.rows:
        scores = [
            number(found.row(known.cells[row, column]).mean("f1"), None)
            if found is not None and (row, column) in there
            else "-"
            for column in known.columns
        ]
        rows.append([f"{row:g}", *scores])
    titles = [known.corner, *(f"{column:g}" for column in known.columns)]
    missing = "" if len(there) == len(folders) else "; -: not run"
    command = f"a cell is `make results ROW={known.sweep}/{known.cell.format('M', 'GAMMA')}`"
    footer = "" if found is None else f"\n\n{_facts(found)}."
    return f"{markdown_table(titles, rows, numbers=True)}\n\nF1; {command}{missing}.{footer}\n"


def _row(known: Table, found: Comparison, cell: str, differing: Mapping[str, str]) -> list[str]:
    label = known.labels[cell]
    row = found.row(label)
    scores = [label, *(number(row.mean(score), row.sd(score)) for score in known.scores)]
    if known.is_bare:
        return scores
    return [
        *scores,
        differing.get(cell, ""),
        str(len(row.runs)),
        minutes(row),
        *(f"{value:.1f}" if value else "" for value in (speed(row), peak_memory(row))),
    ]


def _missing(known: Table, there: Mapping[str, Path]) -> list[str]:
    """Return a list of the cells that were not run, with their commands."""
    missing = [
        f"* {label}: `make results ROW={trained_cell(place(known, cell))}`"
        for cell, label in known.labels.items()
        if cell not in there
    ]
    return ["Not run:", "", *missing, ""] if missing else []


def compared(known: Table, there: Mapping[str, Path]) -> Comparison:
    """Return the comparison of the cells that were run."""
    names = {known.labels[cell]: folder for cell, folder in there.items()}
    return compare(list(names.values()), names=names, scores=known.scores)


def differences(known: Table, there: Mapping[str, Path]) -> dict[str, str]:
    """Return how each cell differs from the one it is compared with, if that was run."""
    score = known.tested or known.scores[0]
    said = {}
    for base in dict.fromkeys(map(known.base, there)):
        others = [cell for cell in there if known.base(cell) == base != cell]
        if base not in there or not others:
            continue
        names = {known.labels[cell]: there[cell] for cell in (base, *others)}
        found = compare(
            list(names.values()), baseline=known.labels[base], names=names, scores=(score,)
        )
        said[base] = "base"
        said |= {cell: difference(found.tables[0], known.labels[cell], score) for cell in others}
    return said


def number(mean: float | None, spread: float | None) -> str:
    """Return a score in percent."""
    if mean is None:
        return ""
    return f"{100 * mean:.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "")


def difference(table: ComparisonTable, row: str, score: str) -> str:
    """Return the difference to the baseline in points, with its interval.

    A star is for differences of methods, which single runs say nothing of.
    """
    tested = table.tested(row, score)
    if tested is None:
        return ""
    low, high = (f"{100 * end:+.1f}" for end in (tested.low, tested.high))
    are_several = all(len(one.runs) > 1 for one in table.rows if one.name in (row, table.baseline))
    star = "*" if are_several and table.is_significant(row, score) else ""
    return f"{100 * tested.difference:+.1f}{star} ({low} to {high})".replace("*", r"\*")


def minutes(row: ComparedRow) -> str:
    """Return how long one training took."""
    return "" if row.seconds is None else f"{row.seconds / 60:.0f}"


def _footer(known: Table, found: Comparison | None) -> str:
    command = f"`make results TABLE={known.sweep}`"
    if found is None:
        return f"{command}: nothing was run yet."
    return f"{command}; {_facts(found)}."


def _facts(found: Comparison) -> str:
    records = [run.run.record for row in found.tables[0].rows for run in row.runs]
    seeds = _said(str(record["seed"]) for record in records)
    commits = _said(record["git"]["docre"]["commit"][:7] for record in records)
    changed = any(record["git"]["docre"]["changed"] for record in records)
    torch = _said(record["versions"]["torch"] for record in records)
    dates = _said(record["time"][:10] for record in records)
    parts = []
    for split, what in (("train", "trained on"), ("dev", "selected on")):
        files = [record["data"].get(split) for record in records]
        if any(files):
            sums = _said(f"{Path(f['file']).name} {f['xxh3_128'][:8]}" for f in files if f)
            parts.append(f"{what} {sums}")
    if encoders := _said(record["encoder"][:8] for record in records if "encoder" in record):
        parts.append(f"encoder {encoders}")
    on = found.tables[0].on
    parts.append(f"scored on {on.documents} documents of {on.file} {(on.checksum or '')[:8]}")
    return (
        f"seeds {seeds}; commit {commits}{' with changes' if changed else ''}; "
        f"torch {torch}; {dates}; {'; '.join(parts)}"
    )


def _said(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
