"""What runs, how much at a time, what is skipped, and what a kill leaves of it."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import docre.sweep.work
from docre.chain.process import Terminated
from docre.chain.state import locked
from docre.errors import DocreError
from docre.sweep.pool import Pool
from docre.sweep.sweep_file import read_sweep
from docre.sweep.table import cells_of
from docre.sweep.work import RunWork
from tests.sweep.fakes import EPOCHS, FakeMachine, Kill, Watched

TEXT = """
axes:
  memory: {on: a.yaml, off: b.yaml}
seeds: [1, 2]
test: true
"""
RUNS = [f"memory={label}/seed_{seed}" for seed in (1, 2) for label in ("on", "off")]
STEPS = ["fit", "validate", "test"]
DONE = {name: [*range(EPOCHS), "validate", "test"] for name in RUNS}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write()


def write(text=TEXT):
    Path("a.yaml").write_text("a: 1\n")
    Path("b.yaml").write_text("b: 1\n")
    Path("toy.yaml").write_text(text)


def works_of(extra=None):
    runs = read_sweep(Path("toy.yaml")).runs(extra or {})
    return [RunWork(run, Path("runs/toy")) for run in runs]


def go(machine, jobs=1, works=None):
    """Run what has not finished; returns what was told."""
    works = works_of() if works is None else works
    for work in works:
        work.check()
    watched = Watched()
    pool = Pool(jobs, machine, watched, pause=0.0)
    pool.run([work for work in works if not work.is_finished])
    return watched


def done(machine):
    made = {name: [] for name in RUNS}
    for name, what in machine.log:
        made[name].append(what)
    return made


def state(name):
    return json.loads(Path("runs/toy", name, "sweep_run.json").read_text())


@pytest.mark.parametrize("jobs", [1, 2, 3, 9])
def test_everything_runs_once(jobs):
    machine = FakeMachine()
    most = 0
    before = machine.tick

    def tick():
        nonlocal most
        most = max(most, machine.at_once)
        before()

    machine.tick = tick
    watched = go(machine, jobs)
    assert most == min(jobs, len(RUNS))
    assert done(machine) == DONE
    assert watched.statuses == dict.fromkeys(RUNS, 0)
    assert Counter(watched.commands) == Counter((name, step) for name in RUNS for step in STEPS)
    if jobs == 1:
        assert watched.commands == [(name, step) for name in RUNS for step in STEPS]
    for work in works_of():
        assert work.is_finished
        assert cells_of(work)[:5] == (work.run.name, "finished", "2 (2)", "50.00", "50.00")
        assert list(state(work.run.name)["steps"]) == STEPS
    again = FakeMachine()
    assert go(again, jobs).ends == []
    assert again.log == []


def test_one_that_fails_does_not_stop_the_others():
    machine = FakeMachine(then={(RUNS[1], "fit"): 3, (RUNS[2], "test"): -9})
    watched = go(machine, 2)
    assert watched.statuses == {RUNS[0]: 0, RUNS[1]: 3, RUNS[2]: 137, RUNS[3]: 0}
    assert [work.status for work in works_of()] == ["finished", "failed", "failed", "finished"]
    again = FakeMachine()
    go(again)
    assert again.log == [(RUNS[1], epoch) for epoch in range(EPOCHS)] + [
        *((RUNS[1], step) for step in STEPS[1:]),
        (RUNS[2], "test"),
    ]
    assert all(work.is_finished for work in works_of())


def test_a_command_that_leaves_nothing_behind_has_failed():
    machine = FakeMachine(then={(RUNS[0], "fit"): 0})
    watched = go(machine)
    name, status, reason = watched.ends[0]
    assert (name, status) == (RUNS[0], 1)
    assert "left nothing behind: runs/toy/memory=on/seed_1 has neither" in reason
    assert state(RUNS[0])["status"] == "failed"
    assert watched.statuses[RUNS[1]] == 0


@pytest.fixture
def events(monkeypatch):
    """Let writing a state be two events: before it is there, and after."""
    write_run = docre.sweep.work.write_run
    current = []

    def write(folder, entry):
        current[-1].tick()
        write_run(folder, entry)
        current[-1].tick()

    monkeypatch.setattr(docre.sweep.work, "write_run", write)
    return current.append


def power_cut(machine, jobs):
    """Run until everything stops; whether it did."""
    try:
        go(machine, jobs)
    except Kill:
        return True
    return False


def whole(machines):
    """What several machines did together, by run."""
    made = {name: [] for name in RUNS}
    for machine in machines:
        for name, steps in done(machine).items():
            made[name] += steps
    return made


def check_what_was_done(machines, names, cuts):
    made = whole(machines)
    for name in names:
        steps = made[name]
        # no epoch twice or left out, in whatever order the pieces came
        assert [step for step in steps if isinstance(step, int)] == list(range(EPOCHS)), name
        scored = Counter(step for step in steps if isinstance(step, str))
        # a command that ended as the power went is not known to have ended
        assert set(scored) == {"validate", "test"}
    repeated = sum(map(len, made.values())) - sum(len(DONE[name]) for name in names)
    assert 0 <= repeated <= cuts


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_kill_at_every_point(jobs, events):
    text = TEXT.replace("[1, 2]", "[1]")
    write(text)
    probe = FakeMachine()
    events(probe)
    go(probe, jobs)
    assert probe.events > 30
    for kill_at in range(1, probe.events + 1, 3):
        with TemporaryDirectory(dir=".") as folder, pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            write(text)
            first, second = FakeMachine(kill_at), FakeMachine()
            events(first)
            assert power_cut(first, jobs)
            events(second)
            go(second, jobs)
            assert all(work.is_finished for work in works_of())
            check_what_was_done([first, second], RUNS[:2], cuts=jobs)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 5)), max_size=5))
def test_any_number_of_kills(cuts):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write()
        machines = [FakeMachine(kill_at) for kill_at, _ in cuts]
        for machine, (_, jobs) in zip(machines, cuts, strict=True):
            power_cut(machine, jobs)
        machines.append(FakeMachine())
        go(machines[-1], 2)
        assert all(work.is_finished for work in works_of())
        check_what_was_done(machines, RUNS, cuts=sum(jobs for _, jobs in cuts))
        assert go(FakeMachine()).ends == []


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Terminated])
def test_what_is_interrupted_goes_on(interrupt):
    machine = FakeMachine()
    ticks = iter(range(100))

    def tick():
        if next(ticks) == 8:
            raise interrupt

    machine.tick = tick
    ended = {"terminate": 0, "wait": 0}
    watched = Watched()
    works = works_of()

    def start(*arguments):
        command = machine(*arguments)
        for name in ended:
            before = getattr(command, name)

            def counted(name=name, before=before):
                ended[name] += 1
                return before()

            setattr(command, name, counted)
        return command

    with pytest.raises(interrupt):
        Pool(2, start, watched, pause=0.0).run(works)
    # Ctrl-C has come to the commands too
    assert ended == {"terminate": 2 * (interrupt is Terminated), "wait": 2}
    assert watched.statuses == dict.fromkeys(RUNS[:2], 130)
    assert [work.status for work in works_of()] == ["interrupted"] * 2 + ["not begun"] * 2
    again = FakeMachine()
    go(again)
    check_what_was_done([machine, again], RUNS, cuts=0)


def test_an_error_of_ours_leaves_no_command_behind():
    machine = FakeMachine()

    def start(step, place, folder, lock):
        if place == 1:
            raise OSError("no more processes")
        return machine(step, place, folder, lock)

    with pytest.raises(OSError, match="no more"):
        Pool(2, start, Watched(), pause=0.0).run(works_of())
    assert machine.at_once == 0
    assert state(RUNS[0])["status"] == "interrupted"


def test_sigterm_is_handed_on():
    machine = FakeMachine()
    before = signal.getsignal(signal.SIGTERM)
    machine.tick = lambda: os.kill(os.getpid(), signal.SIGTERM) if machine.log else None
    with pytest.raises(Terminated):
        go(machine, 2)
    assert machine.at_once == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_that_is_under_way_elsewhere_is_left_alone():
    works = works_of()
    with locked(works[1].folder, "sweep"):
        watched = go(FakeMachine(), 2)
        assert watched.statuses == {RUNS[0]: 0, RUNS[1]: 1, RUNS[2]: 0, RUNS[3]: 0}
        (told,) = [reason for name, status, reason in watched.ends if status]
        assert "memory=off/seed_1: another docre sweep is at work there" in told
    assert go(FakeMachine()).statuses == {RUNS[1]: 0}


def test_a_status_of_running_is_of_whoever_has_the_lock():
    go(FakeMachine())
    path = Path("runs/toy", RUNS[0], "sweep_run.json")
    path.write_text(path.read_text().replace('"status": "finished"', '"status": "running"', 1))
    with locked(path.parent, "sweep"):
        assert works_of()[0].status == "running"
    assert works_of()[0].status == "interrupted"


def test_what_another_sweep_has_finished_meanwhile_is_not_run_again():
    stale = works_of()
    go(FakeMachine(), 2)
    machine, watched = FakeMachine(), Watched()
    Pool(2, machine, watched, pause=0.0).run(stale)
    assert watched.statuses == dict.fromkeys(RUNS, 0)
    assert machine.log == []


def test_what_another_sweep_has_begun_with_other_inputs_is_left_alone():
    stale = works_of()
    go(FakeMachine(), 2, works_of({"x": 1}))
    machine, watched = FakeMachine(), Watched()
    Pool(2, machine, watched, pause=0.0).run(stale)
    assert watched.statuses == dict.fromkeys(RUNS, 1)
    assert all("changed since: option x" in reason for _, _, reason in watched.ends)
    assert machine.log == []


def test_changed_inputs_are_refused():
    go(FakeMachine())
    Path("b.yaml").write_text("b: 2\n")
    works_of()[0].check()
    with pytest.raises(DocreError, match=r"memory=off/seed_1 was begun with other inputs; changed "
                       r"since: config b\.yaml\. Move it away"):  # fmt: skip
        works_of()[1].check()
    Path("b.yaml").write_text("b: 1 # as before\n")
    works_of()[1].check()
    with pytest.raises(DocreError, match=r"changed since: option trainer\.devices"):
        works_of({"trainer.devices": 2})[0].check()
    Path("runs/toy/memory=off").rename("runs/toy/moved")
    Path("b.yaml").write_text("b: 2\n")
    machine = FakeMachine()
    go(machine)
    assert {name for name, _ in machine.log} == {RUNS[1], RUNS[3]}


def test_what_has_learnt_nothing_may_be_mended():
    go(FakeMachine(then={(RUNS[1], "fit"): 2}))
    Path("b.yaml").write_text("b: 2\n")
    machine = FakeMachine()
    works = works_of()
    assert go(machine, 1, works[1:2]).statuses == {RUNS[1]: 0}
    Path("b.yaml").write_text("b: 3\n")
    with pytest.raises(DocreError, match="begun with other inputs"):
        works_of()[1].check()


def test_a_test_may_be_wished_for_later():
    write(TEXT.replace("test: true", "test: false"))
    go(FakeMachine())
    assert [work.status for work in works_of()] == ["finished"] * 4
    write()
    assert [work.status for work in works_of()] == ["to be tested"] * 4
    machine = FakeMachine()
    go(machine)
    assert machine.log == [(name, "test") for name in RUNS]


def test_data_without_a_development_split_are_not_validated():
    machine = FakeMachine(dev=False)
    go(machine)
    assert done(machine) == {name: [*range(EPOCHS), "test"] for name in RUNS}
    assert all(work.is_finished for work in works_of())


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"config.yaml": ""}, "memory=on/seed_1 is there, but no sweep has made it: move it away"),
        ({"checkpoints/last.ckpt": ""}, "is there, but no sweep has made it"),
        ({"sweep_run.json": "{}"}, r"sweep_run\.json: not the state of a run"),
    ],
)
def test_a_folder_that_is_something_else_is_left_alone(files, told):
    for name, content in files.items():
        path = Path("runs/toy", RUNS[0], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with pytest.raises(DocreError, match=told):
        works_of()[0].check()


def test_a_run_that_is_gone_is_missed():
    go(FakeMachine())
    Path("runs/toy", RUNS[0], "run.json").unlink()
    with pytest.raises(DocreError, match="has been trained, but the run in it is gone"):
        works_of()[0].check()
