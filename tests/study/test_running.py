"""Which commands make a table, and what is done behind them."""

import os
from pathlib import Path

import pytest

from docre.chain.state import StageState
from docre.sweep.work import write_run
from study import behind, running
from study.keep import keep
from study.places import RUNS
from study.tables import TABLES


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "prepare", lambda: None)
    monkeypatch.setattr(running, "keep_encoder_of", lambda cell: None)
    monkeypatch.setenv("DOCRE_DATA", "")


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
    (run / "config.yaml").write_text("model: {head: {init_args: {memory: null}}}")
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


@pytest.mark.parametrize(
    ("cell", "other", "order"),
    [
        ("pairs_gold_first", "pairs_gold_first_in_row_order", "row_major"),
        ("pairs_row_order", "pairs_row_order_in_gold_first", "gold_first"),
    ],
)
def test_each_order_is_scored_in_the_other_one_too(commands, cell, other, order):
    finished(f"order/{cell}/seed_66")
    finished(f"order/{cell}/seed_67", "interrupted")
    assert behind.finish("order", RUNS) == 0
    target = RUNS / "order" / other / "seed_66"
    option = f"--data.init_args.batches.pair_order={order}"
    assert commands == [("test", "--run", str(target), option)]
    assert (target / "checkpoints/best.ckpt").read_text() == "weights"
    assert not (target / "scores").exists()
    (target / "scores").mkdir()
    (target / "scores/test.json").write_text("{}")
    assert behind.finish("order", RUNS) == 0  # what was scored in the other order least of all
    assert len(commands) == 1
    assert [behind.trained_cell(name) for name in (cell, other)] == [cell, cell]


def test_joint_models_are_tuned_once(commands):
    run = finished("joint_cdr/mrc/seed_112")
    assert behind.finish("joint_cdr", RUNS) == 0
    assert commands == [("tune", "--run", str(run)), ("test", "--run", str(run))]
    assert keep("joint_cdr") == 0
    (run / "thresholds.json").write_text("{}")
    os.utime(run / "scores/test.json", (1, 1))
    assert behind.finish("joint_cdr", RUNS) == 0  # cut short between tuning and scoring
    assert len(commands) == 4
    (run / "scores/test.json").touch()
    assert behind.finish("joint_cdr", RUNS) == 0
    assert len(commands) == 4


def test_in_little_every_sweep_is_run_in_a_folder_of_its_own(commands, monkeypatch, tmp_path):
    monkeypatch.setattr(running, "corpora", lambda: Path("corpora"))
    monkeypatch.setattr(running, "label", lambda limit: commands.append(("label", limit)))
    assert running.small(Path("apart")) == 0
    assert Path.cwd() == tmp_path / "apart"
    assert os.environ["DOCRE_DATA"] == str(tmp_path / "corpora")
    swept = [words[0] for words in commands]
    assert set(swept) == {table.sweep for table in TABLES.values()} | {"label"}
    assert ("label", 60) in commands
    assert swept.index("main") < swept.index("label") < swept.index("finetune")
    assert all("trainer.max_epochs=2" in words for words in commands if words[0] != "label")
    page = Path("results.md").read_text()
    assert page.startswith("# Smoke run: 60 documents, 2 epochs. No results.")
