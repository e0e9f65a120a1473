"""Which commands make a table, and what is done behind them."""

import json
from pathlib import Path

import pytest

from docre.chain.state import StageState
from docre.sweep.work import write_run
from study import behind, running
from study.places import RUNS
from study.tables import TABLES


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "prepare", lambda: None)
    monkeypatch.setattr(running, "keep_encoder", lambda: None)


@pytest.fixture
def commands(monkeypatch):
    """What would have been run."""
    made = []
    monkeypatch.setattr(behind, "_docre", lambda *words: made.append(words) or 0)
    monkeypatch.setattr(running, "_sweep", lambda *words: made.append(words) or 0)
    return made


def finished(name, status="finished"):
    run = RUNS / name
    (run / "scores").mkdir(parents=True)
    (run / "scores/test.json").write_text("{}")
    (run / "checkpoints").mkdir()
    (run / "checkpoints/best.ckpt").write_text("weights")
    write_run(run, StageState(kind="fit", status=status, inputs={}))
    return run


def test_a_table_and_a_row(commands, capsys):
    assert running.run("main", 2) == running.run("main/atlop", 1) == 0
    assert commands == [
        ("main", "--jobs", "2"),
        ("main", "--jobs", "1", "--cells", "atlop"),
    ]
    assert "0 finished runs of main" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no such table: mian; there are atlop, encoder, main,"):
        running.run("mian/atlop", 1)


def test_gold_first_is_scored_in_row_order_too(commands):
    run = finished("order/pairs_gold_first/seed_66")
    finished("order/pairs_row_order/seed_66")
    finished("order/pairs_gold_first/seed_67", "interrupted")
    assert behind.finish("order", RUNS) == 0
    target = Path(f"{run.parent}{behind.BEHIND}") / run.name
    assert commands == [("test", "--run", str(target), behind.ROW_ORDER)]
    assert (target / "checkpoints/best.ckpt").read_text() == "weights"
    assert not (target / "scores").exists()
    (target / "scores").mkdir()
    (target / "scores/test.json").write_text("{}")
    assert behind.finish("order", RUNS) == 0
    assert len(commands) == 1


def test_joint_models_are_tuned_once(commands):
    run = finished("joint_cdr/mrc/seed_112")
    assert behind.finish("joint_cdr", RUNS) == 0
    assert commands == [("tune", "--run", str(run)), ("test", "--run", str(run))]
    (run / "thresholds.json").write_text(json.dumps({}))
    assert behind.finish("joint_cdr", RUNS) == 0
    assert len(commands) == 2
    assert behind.finish("main", RUNS) == 0


def test_in_little_every_sweep_is_run_in_a_folder_of_its_own(commands, monkeypatch, tmp_path):
    monkeypatch.setattr(running, "label", lambda limit: commands.append(("label", limit)))
    assert running.small(Path("apart")) == 0
    assert Path.cwd() == tmp_path / "apart"
    swept = [words[0] for words in commands]
    assert set(swept) == {table.sweep for table in TABLES.values()} | {"label"}
    assert ("label", 60) in commands
    assert swept.index("main") < swept.index("label") < swept.index("finetune")
    assert all("trainer.max_epochs=2" in words for words in commands if words[0] != "label")
    page = Path("results.md").read_text()
    assert page.startswith("# Smoke run: 60 documents, 2 epochs. No results.")
