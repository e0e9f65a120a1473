"""The table of all stages."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from docre.chain.results import new_scores, score_stamps
from docre.chain.table import COLUMNS, cells_of, rows_of, terminal_table, write_table
from tests.chain.fakes import FakeDocre, made
from tests.chain.test_runner import ALL, TEXT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("model: {x: 1}\n")
    Path("b.yaml").write_text("model: {y: 1}\n")
    Path("d.json").write_text("[]")
    return tmp_path / "runs" / "toy"


def partial(folder, monkeypatch):
    """A chain whose second training fails, each command taking 3,725 seconds."""
    clock = iter(range(0, 10**6, 3725))
    monkeypatch.setattr("docre.chain.runner.monotonic", lambda: next(clock))
    run, _ = made(TEXT, FakeDocre({4: 1}))
    assert run.run(ALL) == 1
    return run


def test_rows(folder, monkeypatch):
    run = partial(folder, monkeypatch)
    unknown = dict.fromkeys(["dev_f1", "dev_ign_f1", "test_f1", "test_ign_f1"])
    untrained = unknown | {"epochs": None, "best_epoch": None}
    assert rows_of(run.chain, run.state) == [
        unknown
        | {"stage": "first", "kind": "fit", "status": "finished", "builds_on": {}}
        | {"epochs": 3, "best_epoch": 2, "dev_f1": 0.5, "dev_ign_f1": 0.25, "seconds": 7450.0},
        untrained
        | {"stage": "scores", "kind": "distil", "status": "finished", "seconds": 3725.0}
        | {"builds_on": {"distil": "first"}},
        untrained
        | {"stage": "second", "kind": "fit", "status": "failed", "seconds": 3725.0}
        | {"builds_on": {"init_from": "first", "teacher": "scores"}},
        untrained
        | {"stage": "fused", "kind": "fuse", "status": "not begun", "seconds": None}
        | {"builds_on": {"fuse": "second"}},
    ]


def test_files(folder, monkeypatch):
    run = partial(folder, monkeypatch)
    rows = rows_of(run.chain, run.state)
    write_table(folder, run.chain, rows)
    written = json.loads((folder / "stages.json").read_text())
    assert written == {"chain": "toy", "file": "toy.yaml", "stages": rows}
    lines = (folder / "stages.md").read_text().splitlines()
    assert lines[0] == "# toy"
    assert lines[2] == f"| {' | '.join(COLUMNS)} |"
    assert lines[4:8] == [
        "| first | fit | finished | - | 3 (2) | 50.00 | 25.00 | - | - | 2:04:10 |",
        "| scores | distil | finished | distil first | - | - | - | - | - | 1:02:05 |",
        "| second | fit | failed | init_from first, teacher scores | - | - | - | - | - | 1:02:05 |",
        "| fused | fuse | not begun | fuse second | - | - | - | - | - | - |",
    ]
    run, _ = made(TEXT, FakeDocre())
    assert run.run(ALL) == 0
    rows = rows_of(run.chain, run.state)
    assert cells_of(rows[2])[5:9] == ["50.00", "25.00", "62.50", "37.50"]


def test_the_table_fits_a_narrow_terminal(folder, monkeypatch):
    run = partial(folder, monkeypatch)
    console = Console(width=80)
    with console.capture() as caught:
        console.print(terminal_table(run.chain, rows_of(run.chain, run.state)))
    shown = caught.get()
    for word in ("finished", "not begun", "50.00", "25.00", "3 (2)", "2:04:10", "distil"):
        assert word in shown


def test_scores_are_those_written_since(tmp_path):
    assert score_stamps(tmp_path) == {}
    (tmp_path / "scores").mkdir()
    old, new = tmp_path / "scores/dev.json", tmp_path / "scores/fused_test.json"
    old.write_text(json.dumps({"split": "dev", "scores": {"f1": 0.5}}))
    before = score_stamps(tmp_path)
    assert new_scores(tmp_path, before) == {}
    new.write_text(json.dumps({"split": "test", "scores": {"f1": 0.75, "ign_f1": 0.5, "gold": 1}}))
    assert new_scores(tmp_path, before) == {"test": {"f1": 0.75, "ign_f1": 0.5}}
    assert new_scores(tmp_path, {})["dev"] == {"f1": 0.5, "ign_f1": None}
