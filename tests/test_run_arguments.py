"""What people type, and what LightningCLI gets."""

import json
import os
import time
from itertools import groupby

import pytest

from docre.configs import KINDS, config_folder, config_names, find_config, kind_of, summary
from docre.errors import DocreError
from docre.run_arguments import expand
from docre.thresholds_file import write_thresholds


@pytest.fixture
def run(tmp_path):
    """A run folder as `docre fit` leaves it."""
    folder = tmp_path / "runs" / "quick" / "version_3"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "data:\n  class_path: X\n  init_args:\n    batches: {batch_size: 2}\n"
        "    reading: {limit: 7, cache_dir: here, offline: true}\n"
    )
    known = {"tokenizer": "t", "types": ["PER"], "features": {"markers": "entity"}}
    (folder / "run.json").write_text(json.dumps(known))
    (folder / "checkpoints" / "last.ckpt").touch()
    return folder


QUICK = str(config_folder() / "quickstart.yaml")


@pytest.mark.parametrize(
    "given",
    [
        ["--config", "quickstart.yaml"],
        ["--config", "quickstart"],
        ["-c", "quickstart"],
        ["--config=quickstart"],
    ],
)
def test_bare_names_from_any_folder(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = expand(["fit", *given, "--trainer.max_epochs", "1"])
    assert found.name == "quickstart"
    assert found.run is None
    assert found.arguments[-2:] == ["--trainer.max_epochs", "1"]
    assert QUICK in " ".join(found.arguments)


def test_the_first_config_names_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("{}")
    found = expand(["fit", "-c", "quickstart", "-c", "mine.yaml"])
    assert found == (["fit", "-c", QUICK, "-c", "mine.yaml"], "quickstart", None)
    assert expand(["fit"]).name == "run"


def test_a_file_here_comes_before_a_packaged_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart.yaml").write_text("{}")
    assert str(find_config("quickstart.yaml")) == "quickstart.yaml"
    assert str(find_config("quickstart")) == QUICK


def test_all_packaged_configurations_are_found_and_described(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = config_names()
    assert "quickstart.yaml" in names
    for name in names:
        for typed in (name, name.removesuffix(".yaml")):
            assert find_config(typed) == config_folder() / name
        assert summary(config_folder() / name), name
    kinds = [kind_of(name) for name in names]
    assert list(dict.fromkeys(kinds)) == list(KINDS)  # systems first, and each kind in one piece
    assert len(list(groupby(kinds))) == len(KINDS)


def test_a_misspelt_name_gets_hints():
    with pytest.raises(DocreError, match=r"no such config: quickstrat\.yaml .*quickstart\.yaml"):
        expand(["fit", "--config", "quickstrat.yaml"])
    with pytest.raises(DocreError, match=r"did you mean quickstart"):
        expand(["fit", "--config=quikstart"])
    with pytest.raises(DocreError, match=r"no such config: /nothing/at\.yaml"):
        find_config("/nothing/at.yaml")


def test_packaged_names_stay_inside():
    with pytest.raises(DocreError, match="no such config"):
        find_config("../pyproject.toml")


def test_a_run_is_its_config_and_checkpoint(run):
    found = expand(["test", "--run", str(run), "--data.init_args.reading.limit", "3"])
    assert found.run == run
    assert found.name == "quick"
    assert found.arguments == [
        "test",
        *("--config", str(run / "config.yaml")),
        *("--trainer.logger", "false"),
        *("--ckpt_path", str(run / "checkpoints" / "last.ckpt")),
        *("--data.init_args.reading.limit", "3"),
    ]
    best = run / "checkpoints" / "best.ckpt"
    best.touch()
    assert str(best) in expand(["test", f"--run={run}"]).arguments
    for given in (["--ckpt_path", "mine.ckpt"], ["--ckpt_path=mine.ckpt"]):
        arguments = expand(["validate", "--run", str(run), *given]).arguments
        assert str(best) not in arguments
        assert sum("--ckpt_path" in word for word in arguments) == 1


def test_tuned_thresholds_of_a_run(run, caplog):
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(b"weights")
    write_thresholds(run, last, {"mention": 0.25, "coreference": 0.5, "relation": 1e-06, "f1": 1})
    for command in ("validate", "test", "predict"):
        found = expand([command, "--run", str(run), "--model.thresholds.mention", "0.7"]).arguments
        # before what is given: that counts
        assert found[-5:] == [
            "--model.thresholds.mention=0.25",
            "--model.thresholds.coreference=0.5",
            "--model.thresholds.relation=1e-06",
            *("--model.thresholds.mention", "0.7"),
        ]
    assert not caplog.records
    other = run / "other.ckpt"
    other.write_bytes(b"other weights")
    for named in (["--ckpt_path", str(other)], [f"--ckpt_path={other}"]):
        found = expand(["test", "--run", str(run), *named])
        assert not any(word.startswith("--model") for word in found.arguments)
        assert "thresholds.json was tuned for another checkpoint than" in caplog.text
        caplog.clear()
    same = run / "same.ckpt"
    same.write_bytes(b"weights")
    found = expand(["test", "--run", str(run), "--ckpt_path", str(same)])
    assert "--model.thresholds.coreference=0.5" in found.arguments


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"mention": 2}', '{"mention": 0.5, "coreference": 0.5}']
)
def test_damaged_thresholds(run, body):
    (run / "thresholds.json").write_text(body)
    with pytest.raises(DocreError, match=r"thresholds\.json cannot be read .*run docre tune again"):
        expand(["test", "--run", str(run)])


def test_own_documents(run, tmp_path):
    mine = tmp_path / "mine.jsonl"
    mine.touch()
    given = ["--run", str(run), "--documents", str(mine), "--output", "p.zip"]
    found = expand(["predict", *given]).arguments
    assert found[-1] == "--predictions.path=p.zip"
    data = json.loads(found[found.index("--data") + 1])
    assert data["class_path"] == "docre.data.modules.DocREDFormat"
    assert data["init_args"] == {
        "predict_file": str(mine),
        "relations_file": str(run / "relations.json"),
        "types": ["PER"],
        "tokenizer": "t",
        "features": {"markers": "entity"},
        "batches": {"batch_size": 2},
        # how many of the run's own documents were read says nothing about others
        "reading": {"cache_dir": "here", "offline": True},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--run", "RUN"], "--run is for validate, test and predict"),
        (["test", "--documents", "f"], "--documents belongs to docre predict"),
        (["fit", "--output", "f"], "--output belongs to docre predict, not to docre fit"),
        (["predict", "--documents", "f"], "--documents needs --run"),
        (["predict", "--run", "RUN", "--documents", "nothing.jsonl"], "no such file: nothing"),
        (["predict", "--run"], "--run needs a value"),
        (["test", "--run", "nothing"], "no such run folder: nothing"),
        (["test", "--run", "RUN/.."], r"it has runs inside, the last is .*version_3"),
        (["test", "--run", "RUN/../.."], r"it has runs inside, the last is .*version_3"),
        (["test", "--run", "RUN/checkpoints"], "is not a run folder, it has no config.yaml$"),
    ],
)
def test_what_is_wrong_is_said(run, arguments, message):
    typed = [word.replace("RUN", str(run)) for word in arguments]
    with pytest.raises(DocreError, match=message):
        expand(typed)


def test_the_last_of_many_runs_is_the_newest(run):
    now = time.time()
    for number, age in ((2, 60), (10, 0)):
        folder = run.parent / f"version_{number}"
        folder.mkdir()
        (folder / "config.yaml").touch()
        os.utime(folder / "config.yaml", (now - age, now - age + 1))
    with pytest.raises(DocreError, match=r"the last is .*version_10"):
        expand(["test", "--run", str(run.parent)])


def test_a_run_without_checkpoints(run):
    (run / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(DocreError, match=r"neither checkpoints/best\.ckpt nor"):
        expand(["test", "--run", str(run)])
    # unless one is named
    expand(["test", "--run", str(run), "--ckpt_path", "other.ckpt"])


def test_a_run_of_another_tool(run, tmp_path):
    mine = tmp_path / "mine.jsonl"
    mine.touch()
    (run / "run.json").unlink()
    with pytest.raises(DocreError, match=r"has no run\.json"):
        expand(["predict", "--run", str(run), "--documents", str(mine)])
