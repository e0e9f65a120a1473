"""What runs, what is skipped and what is refused, with a stand-in for the commands."""

import json
from pathlib import Path

import pytest

from docre.chain.state import read_state
from docre.chain.table import rows_of
from docre.errors import DocreError
from tests.chain.fakes import FakeDocre, made

TEXT = """
stages:
  first:
    fit: a.yaml
  scores:
    distil: first
    documents: d.json
  second:
    fit: [a.yaml, b.yaml]
    init_from: first
    teacher: scores
    options: {trainer.max_epochs: 3}
    test: true
  fused:
    fuse: second
"""
ALL = ["first", "scores", "second", "fused"]
EVERYTHING = [
    ("fit", "first"),
    ("validate", "first"),
    ("distil", "first"),
    ("fit", "second"),
    ("validate", "second"),
    ("test", "second"),
    ("fuse", "second"),
]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("# comment\nmodel: {x: 1}\n")
    Path("b.yaml").write_text("model: {y: 1}\n")
    Path("d.json").write_text("[]")


def go(docre=None, names=ALL, text=TEXT, extra=None, again=()):
    """Run stages; returns the commands that ran, the status and what was said at the end."""
    docre = docre or FakeDocre()
    run, _ = made(text, docre, extra)
    if again:
        run.forget(again)
    status = run.run(names)
    return docre.names, status, run.advice


def test_everything_runs_once():
    assert go() == (EVERYTHING, 0, "")
    state = json.loads(Path("runs/toy/chain.json").read_text())["stages"]
    assert {name: stage["status"] for name, stage in state.items()} == dict.fromkeys(
        ALL, "finished"
    )
    second = state["second"]
    assert second["steps"]["test"]["command"] == "docre test --run runs/toy/second"
    assert all(step["seconds"] >= 0 for step in second["steps"].values())
    assert set(second["inputs"]) == {
        *("config a.yaml", "config b.yaml", "configs", "option trainer.max_epochs"),
        *("init_from first", "teacher scores"),
    }
    assert second["inputs"]["init_from first"] == state["first"]["output"]
    assert go() == ([], 0, "")


@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("how", [3, KeyboardInterrupt()])
def test_what_stops_goes_on_at_the_same_command(at, how):
    ran, status, advice = go(FakeDocre({at: how}))
    assert ran == EVERYTHING[:at]
    command, _ = EVERYTHING[at - 1]
    stage = {3: "scores", 7: "fused"}.get(at, EVERYTHING[at - 1][1])
    assert status == (3 if how == 3 else 130)
    said = "failed (status 3)" if how == 3 else "was interrupted"
    assert advice.startswith(f"stage {stage} {said}. The same command without")
    assert f"--from {stage}" in advice
    again = "begins again" if command in ("distil", "fuse") else "goes on from where it was"
    assert f"is skipped and {stage} {again}" in advice
    state = read_state(Path("runs/toy")).stages
    assert state[stage].status == ("failed" if how == 3 else "interrupted")
    again = FakeDocre()
    assert go(again) == (EVERYTHING[at - 1 :], 0, "")
    last = f"--ckpt_path=runs/toy/{stage}/checkpoints/last.ckpt"
    assert (again.calls[0][-1] == last) == (command == "fit")
    assert go() == ([], 0, "")


def test_a_chain_that_was_killed_goes_on():
    class Kill(BaseException):
        pass

    with pytest.raises(Kill):
        go(FakeDocre({4: Kill()}))
    assert json.loads(Path("runs/toy/chain.json").read_text())["stages"]["second"]["status"] == (
        "running"
    )
    run, _ = made(TEXT, FakeDocre())
    assert rows_of(run.chain, run.state)[2]["status"] == "interrupted"
    assert go()[0] == EVERYTHING[3:]


def test_times_add_up(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("docre.chain.runner.monotonic", lambda: next(clock))
    go(FakeDocre({1: 1}))
    go(names=["first"])
    steps = read_state(Path("runs/toy")).stages["first"].steps
    assert {name: step.seconds for name, step in steps.items()} == {"fit": 20, "validate": 10}


@pytest.mark.parametrize(
    ("change", "stage", "told"),
    [
        ({"a.yaml": "model: {x: 2}\n"}, "first", "config a.yaml"),
        ({"b.yaml": "model: {y: 2}\n"}, "second", "config b.yaml"),
        ({"d.json": "[ ]"}, "scores", "file d.json"),
        ({"text": ("max_epochs: 3", "max_epochs: 4")}, "second", "option trainer.max_epochs"),
        ({"text": ("    options: {trainer.max_epochs: 3}\n", "")}, "second", "trainer.max_epochs"),
        ({"text": ("[a.yaml, b.yaml]", "[b.yaml, a.yaml]")}, "second", "configs"),
        ({"text": ("    init_from: first\n", "")}, "second", "init_from first"),
        ({"extra": {"trainer.devices": "2"}}, "first", "option trainer.devices"),
    ],
)
def test_changed_inputs_are_refused(change, stage, told):
    go()
    text = TEXT.replace(*change.pop("text", ("", "")))
    extra = change.pop("extra", None)
    for name, content in change.items():
        Path(name).write_text(content)
    docre = FakeDocre()
    with pytest.raises(DocreError) as caught:
        go(docre, text=text, extra=extra)
    assert str(caught.value).startswith(
        f"stage {stage} was begun with other inputs; changed since: "
    )
    assert told in str(caught.value)
    assert f"--from {stage} begins it" in str(caught.value)
    assert docre.calls == []
    # and as told
    behind = ALL[ALL.index(stage) :]
    go(docre, behind, text, extra, again=behind)
    assert docre.names[0] == {"scores": ("distil", "first")}.get(stage, ("fit", stage))
    assert go(text=text, extra=extra) == ([], 0, "")


def test_comments_and_scores_are_no_inputs():
    go()
    Path("a.yaml").write_text("model:\n  x: 1  # the same\n")
    tested = TEXT.replace("    fit: a.yaml\n", "    fit: a.yaml\n    test: true\n")
    assert go(text=tested)[0] == [("test", "first")]
    assert go(text=tested)[0] == []


def test_what_has_learnt_nothing_may_be_mended():
    go(FakeDocre({1: 2}, learnt=False))
    Path("a.yaml").write_text("model: {x: mended}\n")
    assert go()[0] == EVERYTHING


def test_what_has_learnt_something_may_not():
    go(FakeDocre({1: 2}))
    Path("a.yaml").write_text("model: {x: mended}\n")
    with pytest.raises(DocreError, match="stage first was begun with other inputs"):
        go()


def test_beginning_again_puts_aside_and_deletes_nothing():
    go()
    for number in (1, 2):
        before = Path("runs/toy/second/checkpoints/best.ckpt").read_bytes()
        assert go(names=["second", "fused"], again=["second", "fused"])[0] == EVERYTHING[3:]
        aside = Path(f"runs/toy/second.{number}")
        assert (aside / "checkpoints/best.ckpt").read_bytes() == before
    assert not Path("runs/toy/first.1").exists()


def test_a_later_stage_notices_an_earlier_one_that_was_run_again():
    go()
    go(FakeDocre({1: KeyboardInterrupt()}), ["first"], again=["first"])
    go(names=["first"])
    with pytest.raises(DocreError, match=r"stage scores .* changed since: distil first"):
        go()


def test_one_stage_alone_needs_those_it_builds_on():
    with pytest.raises(DocreError, match="stage second builds on stage first, which has not fin"):
        go(names=["second"])
    go(names=["first"])
    assert go(names=["scores"])[0] == [("distil", "first")]


def test_a_folder_that_nobody_knows_is_left_alone():
    Path("runs/toy/first").mkdir(parents=True)
    with pytest.raises(DocreError, match=r"runs/toy/first is there, but .* knows nothing of it"):
        go()
    assert go(names=ALL, again=ALL)[0] == EVERYTHING
    assert Path("runs/toy/first.1").is_dir()


def test_a_folder_that_is_gone_is_missed():
    go()
    Path("runs/toy/second").rename("elsewhere")
    with pytest.raises(DocreError, match="stage second has finished, but runs/toy/second is gone"):
        go()
    assert go(names=ALL[2:], again=ALL[2:])[0] == EVERYTHING[3:]


def test_a_command_that_leaves_nothing_behind_has_failed():
    with pytest.raises(DocreError, match=r"stage first: docre fit .* left nothing behind"):
        go(lambda_docre := Nothing())
    assert lambda_docre.names == [("fit", "first")]
    assert read_state(Path("runs/toy")).stages["first"].status == "failed"


def test_a_damaged_checkpoint_has_failed():
    class Damaged(FakeDocre):
        def fit(self, run, whole):
            super().fit(run, whole)
            last = run / "checkpoints" / "last.ckpt"
            last.write_bytes(last.read_bytes()[:100])

    with pytest.raises(
        DocreError, match=r"stage first: .*first/checkpoints/last\.ckpt is no check"
    ):
        go(Damaged())
    assert read_state(Path("runs/toy")).stages["first"].status == "failed"


def test_documents_may_go_when_their_scores_are_there():
    go()
    Path("d.json").unlink()
    assert go() == ([], 0, "")
    with pytest.raises(DocreError, match=r"stage scores: documents: no such file: e\.json"):
        go(text=TEXT.replace("d.json", "e.json"))
    run, _ = made(TEXT, FakeDocre())
    run.check_documents(ALL)
    with pytest.raises(DocreError, match=r"stage scores: documents: no such file: d\.json"):
        run.check_documents(ALL, again=True)


def test_what_a_killed_distillation_left_is_cleared_away():
    go(FakeDocre({3: 137}))
    left = Path("runs/toy/scores/.scores.arrow.17.part")
    left.write_text("half")
    mine = Path("runs/toy/scores/notes.part")
    mine.touch()
    assert go()[0] == EVERYTHING[2:]
    assert not left.exists()
    assert mine.exists()


class Nothing(FakeDocre):
    def fit(self, run, whole):
        pass


def test_data_without_a_development_split_are_not_validated():
    ran, status, _ = go(FakeDocre(dev=False))
    assert (ran, status) == ([step for step in EVERYTHING if step[0] != "validate"], 0)
    assert go()[0] == []


def test_a_damaged_state_is_said():
    Path("runs/toy").mkdir(parents=True)
    Path("runs/toy/chain.json").write_text('{"stages": {"first": {}}}')
    with pytest.raises(DocreError, match=r"runs/toy/chain\.json: not the state of a chain"):
        go()
