"""``docre sweep`` with real processes, which are not real trainings."""

import json
import os
import signal
import subprocess
import sys
import time
from inspect import signature
from pathlib import Path

import pytest
import torch

import docre.comparison.command
from docre.chain.state import locked
from docre.cli import Command, _parser_of, _with_values
from docre.errors import DocreError
from docre.sweep.command import sweep
from docre.sweep.ending import compare_finished
from docre.sweep.sweep_file import read_sweep
from docre.sweep.work import RunWork

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
PYTHON = sys.executable
TEXT = """
# Memory on and off.
base: a.yaml
axes:
  memory: {on: , off: b.yaml}
seeds: [1, 2]
test: true
"""
RUNS = [f"memory={label}/seed_{seed}" for seed in (1, 2) for label in ("on", "off")]


@pytest.fixture(autouse=True)
def compared(tmp_path, monkeypatch):
    """A folder with a sweep, and a stand-in for what runs docre; what is compared in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    for name in "ab":
        Path(f"{name}.yaml").write_text(f"{name}: 1\n")
    Path("toy.yaml").write_text(TEXT)
    happens()
    for epoch in (0, 1):
        torch.save({"epoch": epoch}, f"{epoch}.ckpt")
    python = tmp_path / "python"
    python.write_text(f"#!{PYTHON} -SE\n{STAND_IN.read_text()}")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    seen = []

    def compare(runs, **options):
        signature(REAL_COMPARE).bind(runs, **options)
        seen.append((runs, options))

    monkeypatch.setattr(docre.comparison.command, "compare", compare)
    return seen


REAL_COMPARE = docre.comparison.command.compare


def happens(**what):
    Path("happens.json").write_text(json.dumps(what))


def calls(name, root="runs"):
    path = Path(root, "toy", name, "calls.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def words(name):
    return [call["words"] for call in calls(name)]


def statuses():
    works = [RunWork(run, Path("runs/toy")) for run in read_sweep(Path("toy.yaml")).runs({})]
    return {work.run.name: work.status for work in works}


def test_side_by_side(capsys, compared):
    happens(together=4)  # each training waits for all others
    assert sweep("toy.yaml", jobs=4) == 0
    out = capsys.readouterr().out
    assert "4 runs at a time share 2 GPUs" in out
    assert "[2/4] memory=off/seed_1: docre fit --config=a.yaml --config=b.yaml" in out
    assert "[3/4] memory=on/seed_2: finished, 0:00:" in out
    assert out.index("finished, 0:00:") < out.index("Runs of toy")
    for name in RUNS:
        assert [call[0] for call in words(name)] == ["fit", "validate", "test"]
        output = Path("runs/toy", name, "output.txt").read_text()
        assert output.splitlines()[1:] == [
            f"$ docre {step} --run runs/toy/{name}" for step in ("validate", "test")
        ]
    each = [calls(name)[0] for name in RUNS]
    assert len({call["pid"] for call in each}) == 4
    assert sorted(call["CUDA_VISIBLE_DEVICES"] for call in each) == ["4", "4", "7", "7"]
    share = str(max(1, len(os.sched_getaffinity(0)) // 4))
    assert {call["OMP_NUM_THREADS"] for call in each} == {share}
    ((runs, options),) = compared
    assert runs == [f"runs/toy/{name}" for name in RUNS]
    assert options["baseline"] == "runs/toy/memory=on"
    assert options["split"] == "test"
    files = [str(options[kind]) for kind in ("markdown", "csv", "plot")]
    assert files == [f"runs/toy/sweep.{kind}" for kind in ("md", "csv", "png")]


def test_one_after_the_other_has_the_whole_machine(capfd):
    happens(**{RUNS[1]: "fail"})
    assert sweep("toy.yaml", runs="elsewhere", set=["x=1", "y=a=b"]) == 3
    assert "docre: error: it does not work" in capfd.readouterr().out  # from the command itself
    for name in RUNS:
        call = calls(name, "elsewhere")[0]
        assert call["words"][-2:] == ["--x=1", "--y=a=b"]
        assert (call["OMP_NUM_THREADS"], call["CUDA_VISIBLE_DEVICES"]) == (None, "4,7")
        assert not Path("elsewhere/toy", name, "output.txt").exists()
    assert not Path("runs").exists()


def test_one_fails_and_the_others_are_compared(capsys, compared):
    happens(**{RUNS[3]: "fail"})
    assert sweep("toy.yaml", jobs=2) == 3
    out = capsys.readouterr().out
    assert (
        "[4/4] memory=off/seed_2: failed (status 3); runs/toy/memory=off/seed_2/output.txt: "
        "docre: error: it does not work"
    ) in out
    assert "1 of 4 runs are missing in the comparison; the same command goes on" in out
    assert compared[0][0] == [f"runs/toy/{name}" for name in RUNS[:3]]
    happens()
    assert sweep("toy.yaml", jobs=2) == 0
    out = capsys.readouterr().out
    assert "finished before, nothing has changed: 3 of 4" in out
    assert [len(calls(name)) for name in RUNS] == [3, 3, 3, 4]
    # it had learnt nothing
    assert not any("--ckpt_path" in word for call in calls(RUNS[3]) for word in call["words"])


def test_without_the_baseline_nothing_is_compared(capsys, compared):
    happens(**{RUNS[0]: "fail", RUNS[2]: "fail"})
    assert sweep("toy.yaml", jobs=2) == 3
    assert "no comparison yet: no run of memory=on, the baseline, has" in capsys.readouterr().out
    assert compared == []


def begin(*options, **more):
    """Start a sweep in a process of its own, as the shell does."""
    code = (
        f"import sys; sys.executable = {sys.executable!r}\n"
        "from docre.sweep.command import sweep\n"
        f"sys.exit(sweep('toy.yaml', {', '.join(options)}))"
    )
    # what is in the background of a shell has SIGINT ignored
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + code
    return subprocess.Popen(
        [PYTHON, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def learnt(name):
    return Path("runs/toy", name, "checkpoints", "last.ckpt").exists


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on(compared):
    happens(**dict.fromkeys(RUNS[:2], "wait"))
    process = begin("jobs=2")
    wait_for(lambda: learnt(RUNS[0])() and learnt(RUNS[1])())
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    cut_short = ["interrupted"] * 2 + ["not begun"] * 2
    wait_for(lambda: list(statuses().values()) == cut_short)  # when the locks are free
    happens()
    assert sweep("toy.yaml", jobs=2) == 0
    assert [len(calls(name)) for name in RUNS] == [4, 4, 3, 3]
    last = "--ckpt_path=runs/toy/memory=on/seed_1/checkpoints/last.ckpt"
    assert [call[-1] == last for call in words(RUNS[0])] == [False, True, False, False]
    assert len(compared[0][0]) == 4


def test_commands_of_a_sweep_that_is_gone_are_left_to_end(capsys):
    happens(**dict.fromkeys(RUNS[:2], "wait"))
    process = begin("jobs=2")
    wait_for(lambda: learnt(RUNS[0])() and learnt(RUNS[1])())
    process.kill()
    process.communicate()
    running = dict.fromkeys(RUNS[:2], "running")
    assert statuses() == running | dict.fromkeys(RUNS[2:], "not begun")
    assert sweep("toy.yaml", jobs=2) == 1
    out = capsys.readouterr().out
    assert (
        "[1/4] memory=on/seed_1: failed (status 1); runs/toy/memory=on/seed_1: another docre"
        in (out)
    )
    assert statuses() == running | dict.fromkeys(RUNS[2:], "finished")
    Path("go").touch()
    wait_for(lambda: [statuses()[name] for name in RUNS[:2]] == ["interrupted"] * 2)
    assert sweep("toy.yaml") == 0
    assert [len(calls(name)) for name in RUNS] == [4, 4, 3, 3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_commands(number):
    happens(**dict.fromkeys(RUNS[:2], "wait"))
    process = begin("jobs=2")
    wait_for(lambda: learnt(RUNS[0])() and learnt(RUNS[1])())
    # SIGTERM is for the sweep alone, Ctrl-C for all that is in the foreground
    (os.kill if number == signal.SIGTERM else os.killpg)(process.pid, number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "[1/4] memory=on/seed_1: interrupted" in out
    assert out.rstrip().endswith(
        "interrupted; the same command goes on: what has finished is skipped"
    )
    for name in RUNS[:2]:
        with pytest.raises(ProcessLookupError):
            os.kill(calls(name)[0]["pid"], 0)
    assert list(statuses().values()) == ["interrupted"] * 2 + ["not begun"] * 2


def test_one_alone(capsys, compared):
    assert sweep("toy.yaml", only=2) == 0
    assert list(statuses().values()) == ["not begun", "finished", "not begun", "not begun"]
    assert compared == []
    assert "Runs of toy" not in capsys.readouterr().out
    happens(**{RUNS[0]: "fail"})
    assert sweep("toy.yaml", only=1) == 3


def test_some_cells(capsys, compared):
    assert sweep("toy.yaml", cells=["memory=off"]) == 0
    named = {name: status for name, status in statuses().items() if "memory=off" in name}
    assert list(named.values()) == ["finished"] * 2
    assert set(statuses().values()) == {"finished", "not begun"}
    assert compared == []
    out = capsys.readouterr().out
    assert "Runs of toy" in out
    assert "memory=on" not in out


def test_only_comparing(capsys, compared):
    assert sweep("toy.yaml", jobs=0) == 1
    assert "no comparison yet" in capsys.readouterr().out
    assert not Path("runs").exists()
    sweep("toy.yaml", only=1)
    assert sweep("toy.yaml", jobs=0) == 1
    assert "3 of 4 runs are missing in the comparison" in capsys.readouterr().out
    assert compared[0][0] == ["runs/toy/memory=on/seed_1"]


def test_dry_run(capsys):
    assert sweep("toy.yaml", dry_run=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        f"# {number} {name}" for number, name in enumerate(RUNS, start=1)
    ]
    assert not Path("runs").exists()
    sweep("toy.yaml", only=2)
    made = [["docre", *call] for call in words(RUNS[1])]
    start = lines.index(f"# 2 {RUNS[1]}")
    assert [line.split() for line in lines[start + 1 : start + 4]] == made
    capsys.readouterr()
    sweep("toy.yaml", dry_run=True)
    assert f"# 2 {RUNS[1]}: finished" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"jobs": -1}, "--jobs -1: expected a number of runs at a time, or 0"),
        ({"only": 0}, r"--only 0: toy\.yaml has runs 1 to 4"),
        ({"only": 5}, r"--only 5: toy\.yaml has runs 1 to 4"),
        ({"only": 1, "slurm": "x"}, "--slurm writes a script for all runs, --only takes one"),
        ({"cells": ["memory=of"]}, "has no cell memory=of.*did you mean.*; it has memory=on"),
        ({"cells": ["memory=on"], "only": 1}, "either --only, for one run, or --cells"),
        ({"cells": ["memory=on"], "slurm": "x"}, "--cells takes some of them"),
        ({"set": ["x"]}, "--set x: expected NAME=VALUE"),
        ({"set": ["seed_everything=1"]}, "--set: options.seed_everything: the sweep itself says"),
    ],
)
def test_wrong_options(options, told):
    with pytest.raises(DocreError, match=told):
        sweep("toy.yaml", **options)
    assert not Path("runs").exists()


def test_all_that_has_changed_is_said_before_anything_runs():
    sweep("toy.yaml", jobs=2)
    Path("b.yaml").write_text("b: 2\n")
    with pytest.raises(DocreError) as caught:
        sweep("toy.yaml", jobs=2)
    assert [line.split(" was begun")[0] for line in str(caught.value).splitlines()] == [
        f"runs/toy/memory=off/seed_{seed}" for seed in (1, 2)
    ]
    assert all(len(calls(name)) == 3 for name in RUNS)


def test_nothing_is_compared_that_is_under_way(compared):
    sweep("toy.yaml", jobs=4)
    with locked(Path("runs/toy", RUNS[0]), "sweep"):
        path = Path("runs/toy", RUNS[0], "sweep_run.json")
        path.write_text(path.read_text().replace('"finished"', '"running"', 1))
        works = [RunWork(run, Path("runs/toy")) for run in read_sweep(Path("toy.yaml")).runs({})]
        assert compare_finished(read_sweep(Path("toy.yaml")), Path("runs/toy"), works)
    assert compared[-1][0] == [f"runs/toy/{name}" for name in RUNS[1:]]


def parsed(*given):
    """Return what the command line makes of words, whether or not the verb is listed."""
    parser = _parser_of(Command("docre.sweep.command:sweep", ""))
    options = parser.parse_args(list(_with_values(given))).as_dict()
    return {key: value for key, value in options.items() if key != "config"}


def test_the_command_line():
    made = parsed("toy.yaml", "--jobs", "2", "--only=3", "--set", "x=1", "y=2")
    assert made == {
        "file": "toy.yaml",
        "jobs": 2,
        "only": 3,
        "cells": None,
        "dry_run": False,
        "slurm": None,
        "runs": "runs",
        "set": ["x=1", "y=2"],
    }
    assert parsed("toy.yaml", "--dry_run")["dry_run"] is True


def test_a_script_for_slurm(capsys):
    assert sweep("toy.yaml", slurm="go.sh", jobs=3, runs="my runs", set=["x=a b", "y=1"]) == 0
    assert "go.sh: 4 tasks; submit it with sbatch" in capsys.readouterr().out
    subprocess.run(["bash", "-n", "go.sh"], check=True)
    text = Path("go.sh").read_text()
    settings = dict(line[10:].split("=", 1) for line in text.splitlines() if "#SBATCH --" in line
                    and "=" in line)  # fmt: skip
    assert settings["array"] == "1-4%3"
    assert settings["job-name"] == "toy"
    assert Path(settings["output"].strip("'")).parent == Path("my runs/toy")
    assert Path("my runs/toy").is_dir()
    assert [line.split()[1:] for line in text.splitlines() if "/seed_" in line] == [
        [str(number), name] for number, name in enumerate(RUNS, start=1)
    ]
    # the task: a stand-in shows what it is called with
    python = Path(sys.executable)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$SLURM_JOB_NAME" "$@" > called\nexit 5\n')
    done = subprocess.run(["bash", "go.sh"], env=os.environ | {"SLURM_ARRAY_TASK_ID": "3"})
    assert done.returncode == 5
    name, module, docre_, verb, *rest = Path("called").read_text().splitlines()
    assert (name, module, docre_, verb) == ("bash", "-m", "docre", "sweep")
    options = parsed(*rest)
    assert options == parsed("toy.yaml", "--only=3", "--runs", "my runs", "--set", "x=a b", "y=1")
    compare = next(line for line in text.splitlines() if "--jobs 0" in line)
    assert "--set" in compare


def answers(**by_word):
    Path("answers.json").write_text(json.dumps(by_word))


def checks():
    return len(Path("checks.txt").read_text().splitlines())


def test_a_script_asks_for_what_the_runs_need(capsys):
    answers(**{"--config=b.yaml": {"accelerator": "cpu"}})
    assert sweep("toy.yaml", slurm="go.sh") == 0
    text = Path("go.sh").read_text()
    assert "#SBATCH --gpus=1\n#SBATCH --mem" in text  # one cell is for a GPU
    assert "%" not in text.split("--array=")[1].split()[0]
    answers(**{"--config=a.yaml": {"accelerator": "cpu"}})
    capsys.readouterr()
    assert sweep("toy.yaml", slurm="no.sh", runs="elsewhere", dry_run=True) == 0
    out, said = capsys.readouterr()
    assert out.startswith("#!/bin/bash\n")
    assert "--gpus" not in out
    assert "--cpus-per-task=4\n#SBATCH --mem" in out
    assert said == "checking the options of 2 cells\n"
    assert not Path("no.sh").exists()
    assert not Path("elsewhere").exists()


def test_cells_are_checked_once(capsys):
    sweep("toy.yaml", slurm="go.sh")
    sweep("toy.yaml", only=1)  # a task of it
    sweep("toy.yaml", dry_run=True)
    assert checks() == 1
    Path("b.yaml").write_text("b: 2\n")
    sweep("toy.yaml", dry_run=True)
    sweep("toy.yaml", dry_run=True)  # which leaves nothing behind
    assert checks() == 3
    sweep("toy.yaml", jobs=2)
    assert checks() == 4
    Path("runs/toy/sweep.json").write_text("{")
    sweep("toy.yaml", jobs=2)  # has nothing to do
    sweep("toy.yaml", jobs=0)
    assert checks() == 4
    Path("toy.yaml").write_text(TEXT.replace("[1, 2]", "[1, 2, 3]"))
    sweep("toy.yaml", only=5)
    assert checks() == 5
    capsys.readouterr()


@pytest.mark.parametrize("way", [{}, {"dry_run": True}, {"slurm": "go.sh"}, {"only": 1}])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"--config=b.yaml": {"error": "no x"}}, r"^toy\.yaml: memory=off: no x$"),
        ({"--config=a.yaml": {"error": "no x"}}, r"^toy\.yaml: memory=on, memory=off: no x$"),
        (
            {"--config=a.yaml": {"digest": "1"}},
            r"^toy\.yaml: memory=on, memory=off are the same training, all options are equal$",
        ),
    ],
)
def test_nothing_runs_where_a_cell_is_wrong(way, said, told):
    answers(**said)
    with pytest.raises(DocreError, match=told):
        sweep("toy.yaml", **way)
    assert not Path("runs").exists()
    assert not Path("go.sh").exists()


def test_options_that_cannot_be_checked():
    Path(sys.executable).write_text("#!/bin/sh\necho one >&2; echo two >&2; exit 4\n")
    with pytest.raises(DocreError, match=r"cannot be checked \(status 4\): two$"):
        sweep("toy.yaml")
