"""Which paths mean which runs."""

import pytest

from docre.comparison.run_folders import find_runs
from docre.errors import DocreError
from tests.comparison.folders import write_run


@pytest.fixture
def runs(tmp_path, monkeypatch):
    for name in ("a/version_0", "a/version_2", "a/version_10", "b/version_0"):
        write_run(tmp_path / "runs" / name)
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "runs" / "sweep.md").write_text("")
    (tmp_path / "runs" / "loose").mkdir()
    (tmp_path / "runs" / "loose" / "config.yaml").write_text("a: 1")  # no run
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*paths):
    return [path.as_posix() for path in find_runs(paths)]


def test_folders_patterns_and_folders_of_runs(runs):
    each = [f"runs/a/version_{number}" for number in (0, 2, 10)]
    assert found("runs/a/version_2", "runs/b/version_0") == ["runs/a/version_2", "runs/b/version_0"]
    assert found("runs/a") == found("runs/a/*") == each
    assert found("runs") == [*each, "runs/b/version_0"]
    assert found("runs/*/version_0") == ["runs/a/version_0", "runs/b/version_0"]
    assert found("runs/**/version_10") == ["runs/a/version_10"]
    assert found(runs / "runs" / "b")[0] == (runs / "runs/b/version_0").as_posix()


def test_a_run_comes_once_where_it_came_first(runs):
    assert found("runs/a/version_2", "runs/a", "runs/../runs/a")[:2] == [
        "runs/a/version_2",
        "runs/a/version_0",
    ]
    assert len(found("runs/a", "runs/a/*", "runs/a/version_0")) == 3


def test_files_beside_runs_are_passed_over(runs):
    # as a shell expands runs/*
    assert len(found("runs/a", "runs/b", "runs/sweep.md")) == 4
    assert len(found("runs/*")) == 4


def test_a_folder_with_brackets_is_no_pattern(runs):
    write_run(runs / "runs" / "c[1]" / "version_0")
    assert found("runs/c[1]") == ["runs/c[1]/version_0"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("runs/none", "no such run: runs/none"),
        ("runs/x*", r"no such run: runs/x\*"),
        ("runs/empty", "runs/empty has no run"),
        ("runs/loose", "runs/loose has no run"),
        ("runs/sweep.md", "docre compare needs runs"),
    ],
)
def test_what_is_no_run(runs, path, message):
    with pytest.raises(DocreError, match=message):
        find_runs([path])


def test_nothing_at_all():
    with pytest.raises(DocreError, match="needs runs"):
        find_runs([])
