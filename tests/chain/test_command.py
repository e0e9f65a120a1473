"""``docre chain`` as the shell sees it."""

import json
from pathlib import Path

import pytest

from docre.chain.stages import FitStage, find_chain, read_chain
from docre.chain.state import locked
from docre.cli import main
from docre.configs import config_folder, config_names, find_config, summary
from tests.chain.fakes import FakeDocre
from tests.chain.test_runner import EVERYTHING, TEXT

CHAINS = [name for name in config_names() if name.startswith("chains/")]


@pytest.fixture
def docre(tmp_path, monkeypatch):
    """A stand-in for the commands, which ``docre chain`` takes; the last of them."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("model: {x: 1}\n")
    Path("b.yaml").write_text("model: {y: 1}\n")
    Path("d.json").write_text("[]")
    Path("toy.yaml").write_text(TEXT)
    fake = FakeDocre()
    monkeypatch.setattr("docre.chain.process.execute", lambda arguments, lock: fake(arguments))
    return fake


def chain(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["chain", *arguments])
    shown = capsys.readouterr()
    return caught.value.code, shown.out, shown.err


def rows(file):
    return json.loads(Path(file).read_text())["stages"]


def test_a_whole_chain(docre, capsys):
    code, out, err = chain(capsys, "toy.yaml", "--runs", "elsewhere")
    assert (code, err) == (0, "")
    assert docre.names == EVERYTHING
    assert "[1/4] first: docre fit --config=a.yaml" in out
    assert out.index("[4/4] fused: docre fuse") < out.index("Stages of toy, scores in percent")
    assert [row["test_f1"] for row in rows("elsewhere/toy/stages.json")] == [
        None,
        None,
        0.625,
        None,
    ]
    assert not Path("runs").exists()
    code, out, _ = chain(capsys, "toy.yaml", "--runs", "elsewhere")
    assert code == 0
    assert out.count("finished before, nothing has changed") == 4
    assert len(docre.calls) == len(EVERYTHING)


def test_failure_has_the_status_of_the_stage_and_a_table(docre, capsys):
    docre.then = {4: 9}
    code, out, err = chain(capsys, "toy.yaml")
    assert (code, err) == (9, "")
    assert out.index("Stages of toy") < out.index(
        "stage second failed (status 9). The same command"
    )
    assert [row["status"] for row in rows("runs/toy/stages.json")] == [
        "finished",
        "finished",
        "failed",
        "not begun",
    ]
    docre.then = {5: KeyboardInterrupt()}
    code, out, _ = chain(capsys, "toy.yaml")
    assert code == 130
    assert "stage second was interrupted. The same command without" in out
    code, _, _ = chain(capsys, "toy.yaml")
    assert code == 0


def test_options(docre, capsys):
    code, _, _ = chain(
        capsys, "toy.yaml", "--only", "first", "--set", "x=1", "y=2", "--set", "z=a=b"
    )
    assert code == 0
    assert docre.names == EVERYTHING[:2]
    assert docre.calls[0][-3:] == ["--x=1", "--y=2", "--z=a=b"]
    docre.calls.clear()
    same = ["--set", "x=1", "y=2", "z=a=b"]
    assert chain(capsys, "toy.yaml", *same)[0] == 0
    assert docre.names == EVERYTHING[2:]
    docre.calls.clear()
    assert chain(capsys, "toy.yaml", "--from", "second", *same)[0] == 0
    assert docre.names == EVERYTHING[3:]
    docre.calls.clear()
    assert chain(capsys, "toy.yaml", "--from", "second", "--only", "second", *same)[0] == 0
    assert docre.names == EVERYTHING[3:6]
    assert Path("runs/toy/second.2").is_dir()


def test_dry_run_says_the_commands_that_would_run_and_does_nothing(docre, capsys):
    code, out, _ = chain(capsys, "toy.yaml", "--dry_run")
    assert code == 0
    commands = [line.split() for line in out.splitlines() if not line.startswith("#")]
    assert not docre.calls
    assert not Path("runs").exists()
    chain(capsys, "toy.yaml")
    assert commands == [["docre", *call] for call in docre.calls]
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    _, out, _ = chain(capsys, "toy.yaml", "--dry_run", "true")
    assert out.splitlines() == [f"# {n}: finished" for n in ("first", "scores", "second", "fused")]
    _, out, _ = chain(capsys, "toy.yaml", "--dry_run", "--from", "second")
    assert [line.split() for line in out.splitlines() if not line.startswith("#")] == commands[3:]
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing.yaml"], "no such config: chains/nothing.yaml"),
        (["toy.yaml", "--only", "third"], "--only third: toy.yaml has first, scores, second"),
        (["toy.yaml", "--from", "third"], "--from third: toy.yaml has first"),
        (["toy.yaml", "--only", "first", "--from", "second"], "name two stages"),
        (["toy.yaml", "--set", "x"], "--set x: expected NAME=VALUE"),
        (["toy.yaml", "--set", "trainer.logger=false"], "--set: options.trainer.logger: the chain"),
        (["toy.yaml", "--set", "model.init_from=x"], "the chain itself says what model.init_"),
    ],
)  # fmt: skip
def test_wrong_options(docre, capsys, arguments, told):
    code, out, err = chain(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("docre: error: ")
    assert told in err
    assert not docre.calls


def test_a_missing_configuration_of_a_late_stage_is_said_first(docre, capsys):
    Path("b.yaml").unlink()
    code, _, err = chain(capsys, "toy.yaml")
    assert code == 1
    assert "no such config: b.yaml" in err
    Path("b.yaml").write_text("a: [")
    assert "b.yaml: this is no YAML" in chain(capsys, "toy.yaml")[2]
    assert not docre.calls


def test_changed_inputs_are_one_message_and_a_table(docre, capsys):
    chain(capsys, "toy.yaml")
    Path("b.yaml").write_text("model: {y: 2}\n")
    code, out, err = chain(capsys, "toy.yaml")
    assert code == 1
    assert "stage second was begun with other inputs; changed since: config b.yaml" in err
    assert "Stages of toy" in out


def test_not_while_another_is_at_work(docre, capsys):
    with locked(Path("runs/toy")):
        code, _, err = chain(capsys, "toy.yaml")
        assert code == 1
        assert "another docre chain is at work there" in err
        assert not docre.calls
        assert chain(capsys, "toy.yaml", "--dry_run", "true")[0] == 0


def test_there_are_packaged_chains():
    assert "chains/redocred_ttm.yaml" in CHAINS
    assert sorted(CHAINS) == CHAINS


@pytest.mark.parametrize("name", CHAINS)
def test_packaged_chains(name, capsys):
    """Each says what it is, and can be printed: all it names is there."""
    lines = (config_folder() / name).read_text(encoding="utf-8").splitlines()
    header = [line[1:].strip() for line in lines if line.startswith("#")]
    assert summary(find_chain(name)) == header[0]
    assert header[0].endswith(".")
    assert header[1] == ""
    commands = [line.split("   ")[0] for line in header if line.startswith("docre chain")]
    assert commands[0] == f"docre chain {name}"
    assert any(line.startswith("Published: ") for line in header)
    assert any(line.startswith("GPU memory: ") for line in header)
    known = read_chain(find_chain(name))
    for stage in known.stages.values():
        for config in stage.configs if isinstance(stage, FitStage) else []:
            assert find_config(config) == config_folder() / config
    assert chain(capsys, name, "--dry_run", "true")[0] == 0


def test_missing_documents_are_said_before_anything_runs(docre, capsys):
    Path("d.json").unlink()
    code, _, err = chain(capsys, "toy.yaml")
    assert code == 1
    assert "docre: error: stage scores: documents: no such file: d.json" in err
    assert not docre.calls
    assert chain(capsys, "toy.yaml", "--dry_run")[0] == 0
    assert chain(capsys, "toy.yaml", "--only", "first")[0] == 0  # which does not read them
    Path("d.json").write_text("[]")
    assert chain(capsys, "toy.yaml")[0] == 0
    Path("d.json").unlink()
    assert chain(capsys, "toy.yaml")[0] == 0
    assert chain(capsys, "toy.yaml", "--from", "second")[0] == 0
    count = len(docre.calls)
    code, _, err = chain(capsys, "toy.yaml", "--from", "scores")
    assert code == 1
    assert "no such file: d.json" in err
    assert len(docre.calls) == count
    assert Path("runs/toy/scores/scores.arrow").exists()  # nothing was put aside for it
