"""What the page says is what there is: tables, their cells, and their numbers."""

import json
import re

import pytest

from docre.configs import config_folder, config_names, summary
from docre.sweep.sweep_file import read_sweep
from study.behind import trained_cell
from study.page import PAGE, place, with_tables
from study.places import KEPT, SWEEPS
from study.rates import dev_f1, rates_table
from study.tables import DOUBLED, GRIDS, HEADINGS, LENGTHS, RANKED, SYSTEMS, TABLES

NAMES = config_names("results")
WAYS = ("", DOUBLED)


def cells_of(sweep):
    return {cell.name for cell in read_sweep(SWEEPS / f"{sweep}.yaml").cells}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_cells_of_sweeps(name):
    table = TABLES[name]
    for label in table.labels:
        sweep, _, cell = place(table, label).partition("/")
        assert trained_cell(cell) in cells_of(sweep)
    assert set(table.small) <= cells_of(table.sweep)
    assert set(table.scores) <= {*HEADINGS, *LENGTHS}
    assert len(set(table.labels.values())) == len(table.labels)
    # what a row is compared with is the nearest one above that is compared with nothing
    base = next(iter(table.labels))
    for cell in table.labels:
        base = cell if table.base(cell) == cell else base
        assert table.base(cell) == base
    assert {*table.against, table.base(cell)} <= set(table.labels)
    assert len(read_sweep(SWEEPS / f"{table.sweep}.yaml").seeds) >= 3 or name == "encoder"


def test_every_cell_is_in_a_table_and_every_sweep_is_tried_in_little():
    for sweep in {table.sweep for table in TABLES.values()}:
        tables = [table for table in TABLES.values() if table.sweep == sweep]
        shown = {cell for table in tables for cell in table.labels}
        shown |= {cell for grid in GRIDS.values() for cell in grid.cells.values()}
        if sweep == "main":
            shown |= {f"{cell.removesuffix(DOUBLED)}{way}" for cell in SYSTEMS for way in WAYS}
        assert cells_of(sweep) <= shown
        assert any(table.small for table in tables)


def test_the_page_has_the_tables_as_their_runs_are():
    text = PAGE.read_text()
    assert with_tables(text) == text, "run: make results-page"
    assert set(re.findall(r"<!-- table: ([\w-]+) -->", text)) == {
        *(*TABLES, *GRIDS, "leak", "rates"),
        *(f"{name}_ranking" for name in RANKED),
        *(f"{name}_share" for name in ("order", "memory")),
    }


def test_each_system_has_the_rates_that_were_better_where_they_were_searched():
    for cell in SYSTEMS:
        found = dev_f1(KEPT, cell)
        if len(found) == 2:
            better = max(WAYS, key=found.__getitem__)
            assert cell.endswith(DOUBLED) == (better == DOUBLED), (cell, found)


@pytest.mark.parametrize("name", [name for name in TABLES if TABLES[name].sweep != "main"])
def test_the_rows_of_a_table_learn_at_the_same_rates(name):
    """But for the main table, where each system has those that were searched for it."""
    doubled = set()
    for label in TABLES[name].labels:
        sweep, _, cell = place(TABLES[name], label).partition("/")
        known = {one.name: one for one in read_sweep(SWEEPS / f"{sweep}.yaml").cells}
        doubled.add("results/double_rates.yaml" in known[trained_cell(cell)].configs)
    assert len(doubled) == 1


def test_the_table_of_rates(tmp_path):
    for cell, f1 in {"atlop": 0.5, "atlop_x2": 0.625, "ssr_pu": 0.25}.items():
        folder = tmp_path / "main" / cell / "seed_66" / "scores"
        folder.mkdir(parents=True)
        (folder / "dev.json").write_text(json.dumps({"scores": {"f1": f1}}))
    rows = rates_table(tmp_path).splitlines()
    assert rows[2:4] == [
        "| ATLOP | 50.0 | 62.5 | 2e-4, 1e-3 |",
        "| SSR-PU | 25.0 | - | not searched |",
    ]
    assert len(rows) == 6


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_says_what_it_is(name):
    path = config_folder() / name
    assert summary(path).endswith(".")
    lines = [line for line in path.read_text().splitlines() if line.startswith("#")]
    said = [line for line in lines if line.startswith("#   ")]
    assert any(path.stem in line for line in said)
