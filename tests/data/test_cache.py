"""The feature cache: found again, rebuilt when it has to be, safe with several processes."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from docre.data import cache
from docre.data.cache import Corpus, build_or_open, cache_key
from docre.data.features import FeatureSettings, Featurizer
from docre.data.formats.docred import DocREDJson
from docre.data.reading import ReadReport
from docre.data.writing import write_documents
from docre.errors import DataError, DocreError
from tests.toy import RELATIONS, TYPES, document, pieces

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "toy.json"
    write_documents(path, [document(seed) for seed in range(30)], "docred")
    return Corpus(path, DocREDJson())


def featurizer(**settings):
    return Featurizer(pieces(), RELATIONS, TYPES, FeatureSettings(**settings))


def open_cache(corpus, tmp_path, **options):
    return build_or_open(corpus, featurizer(), tmp_path / "cache", progress=False, **options)


def contents(found):
    return found.table._dataset.data.to_pylist()


def test_opened_again_without_reading_the_file(corpus, tmp_path, monkeypatch):
    first = open_cache(corpus, tmp_path)
    monkeypatch.setattr(cache, "_build", lambda *_: pytest.fail("built twice"))
    again = open_cache(corpus, tmp_path)
    assert contents(again) == contents(first)
    assert again.folder == first.folder
    assert again.summary["documents"] == 30
    rows = featurizer()([document(seed) for seed in range(30)])
    assert [row["input_ids"] for row in contents(first)] == [row.input_ids for row in rows]


def test_everything_that_matters_is_in_the_key(corpus, tmp_path):
    keys = {cache_key(corpus, featurizer())}
    for changed in ({"markers": "none"}, {"source": "text"}, {"max_tokens": 99}):
        keys.add(cache_key(corpus, featurizer(**changed)))
    for changed in ({"on_error": "fix"}, {"limit": 3}, {"check_types": True}):
        keys.add(cache_key(Corpus(corpus.path, corpus.format, **changed), featurizer()))
    other = Featurizer(pieces(), type(RELATIONS)(RELATIONS.names[::-1]), TYPES)
    keys.add(cache_key(corpus, other))
    keys.add(cache_key(corpus, Featurizer(pieces(), RELATIONS, TYPES[::-1])))
    companion = tmp_path / "companion.tsv"
    companion.write_text("a")
    with_companion = Corpus(corpus.path, corpus.format, companions=(companion,))
    keys.add(cache_key(with_companion, featurizer()))
    companion.write_text("b")
    keys.add(cache_key(with_companion, featurizer()))
    before = cache_key(corpus, featurizer())
    corpus.path.write_bytes(corpus.path.read_bytes() + b"\n")
    keys.add(cache_key(corpus, featurizer()))
    assert len(keys) == 12
    assert before in keys


def test_a_copy_of_the_file_elsewhere_has_the_same_key(corpus, tmp_path):
    copy = tmp_path / "elsewhere" / "toy.json"
    copy.parent.mkdir()
    copy.write_bytes(corpus.path.read_bytes())
    assert cache_key(Corpus(copy, corpus.format), featurizer()) == cache_key(corpus, featurizer())


@pytest.mark.parametrize("damage", ["truncate", "flip", "manifest", "no rows", "no manifest"])
def test_a_damaged_cache_is_built_again(corpus, tmp_path, damage, caplog):
    good = contents(first := open_cache(corpus, tmp_path))
    rows, manifest = first.folder / "rows.arrow", first.folder / "manifest.json"
    data = bytearray(rows.read_bytes())
    del first
    if damage == "truncate":
        rows.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[len(data) // 2] ^= 1
        rows.write_bytes(data)
    elif damage == "manifest":
        manifest.write_text('{"bytes": 1')
    elif damage == "no rows":
        rows.unlink()
    else:
        manifest.unlink()
    with caplog.at_level(logging.WARNING):
        assert contents(open_cache(corpus, tmp_path)) == good
    if damage in ("truncate", "flip", "manifest"):
        assert "built again" in caplog.text


def test_several_processes_give_the_same_rows(tmp_path):
    path = tmp_path / "many.json"
    write_documents(path, [document(seed) for seed in range(700)], "docred")
    corpus = Corpus(path, DocREDJson())
    one = build_or_open(corpus, featurizer(), tmp_path / "one", progress=False)
    two = build_or_open(corpus, featurizer(), tmp_path / "two", num_proc=2, progress=False)
    assert contents(one) == contents(two)


def _build_in_process(path, folder, results):
    found = build_or_open(Corpus(path, DocREDJson()), featurizer(), folder, progress=False)
    results.put((os.getpid(), found.folder.stat().st_ino, len(found.table)))


def test_processes_that_build_at_once_build_once(corpus, tmp_path):
    context = get_context("fork")
    results = context.Queue()
    started = [
        context.Process(target=_build_in_process, args=(corpus.path, tmp_path / "cache", results))
        for _ in range(3)
    ]
    for process in started:
        process.start()
    found = [results.get(timeout=60) for _ in started]
    for process in started:
        process.join()
        assert process.exitcode == 0
    assert len({inode for _, inode, _ in found}) == 1
    assert {rows for _, _, rows in found} == {30}


def test_killed_while_building_leaves_no_half_cache(tmp_path):
    """A killed build leaves only a part folder, which the next build removes."""
    path = tmp_path / "many.json"
    write_documents(path, [document(seed) for seed in range(3000)], "docred")
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.toy import RELATIONS, TYPES, pieces
        from docre.data.cache import Corpus, build_or_open
        from docre.data.features import Featurizer
        from docre.data.formats.docred import DocREDJson
        featurizer = Featurizer(pieces(), RELATIONS, TYPES)
        print("ready", flush=True)
        corpus = Corpus(Path(sys.argv[1]), DocREDJson())
        build_or_open(corpus, featurizer, Path(sys.argv[2]), progress=False)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(tmp_path / "cache")],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    for _ in range(400):
        if list((tmp_path / "cache").glob("*.part-*")):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    found = build_or_open(Corpus(path, DocREDJson()), featurizer(), tmp_path / "cache")
    assert len(found.table) == 3000
    assert not list((tmp_path / "cache").glob("*.part-*"))


def test_problems_stop_the_build_and_leave_nothing(tmp_path):
    path = tmp_path / "dirty.json"
    write_documents(path, [document(seed) for seed in range(5)], "docred")
    raw = json.loads(path.read_text())
    raw[1]["vertexSet"].append([])
    raw[3]["title"] = raw[2]["title"]
    path.write_text(json.dumps(raw))
    with pytest.raises(DataError) as caught:
        build_or_open(Corpus(path, DocREDJson()), featurizer(), tmp_path / "cache")
    assert {problem.code for problem in caught.value.problems} == {
        "empty-entity",
        "duplicate-title",
    }
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]


@pytest.mark.parametrize(("policy", "ids"), [("skip", [0, 2, 4]), ("fix", [0, 1, 2, 3, 4])])
def test_what_was_done_about_problems_is_reported(tmp_path, policy, ids):
    path = tmp_path / "dirty.json"
    write_documents(path, [document(seed) for seed in range(5)], "docred")
    raw = json.loads(path.read_text())
    raw[1]["vertexSet"].append([])
    raw[3]["title"] = raw[2]["title"]
    path.write_text(json.dumps(raw))
    corpus = Corpus(path, DocREDJson(), on_error=policy)
    found = build_or_open(corpus, featurizer(), tmp_path / "cache")
    expected = [raw[k]["title"] + ("#2" if k == 3 else "") for k in ids]
    assert found.table.ids == expected
    report = json.loads(found.report.read_text())
    action = {"skip": "skipped", "fix": "fixed"}[policy]
    assert {(p["code"], p["action"]) for p in report["problems"]} == {
        ("empty-entity", action),
        ("duplicate-title", action),
    }
    assert report[action] == 2
    assert found.summary["kept"] == len(ids)


def test_documents_that_are_too_long_are_listed_together(corpus, tmp_path):
    long = featurizer(max_tokens=20, truncation="error")
    with pytest.raises(DataError) as caught:
        build_or_open(corpus, long, tmp_path / "cache")
    assert len(caught.value.problems) > 5
    assert {problem.code for problem in caught.value.problems} == {"too-long"}


def test_what_a_cut_loses_is_counted_and_said(corpus, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = build_or_open(
            corpus, featurizer(max_tokens=20, truncation="cut"), tmp_path / "cache"
        )
    rows = contents(found)
    assert found.summary["cut_documents"] == sum(row["lost_tokens"] > 0 for row in rows) > 0
    assert found.summary["lost_mentions"] == sum(row["lost_mentions"] for row in rows)
    assert "were cut" in caplog.text


def test_a_folder_that_cannot_be_written_gives_a_clear_error(corpus, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(DocreError, match=r"cache folder .* cannot be written"):
        build_or_open(corpus, featurizer(), blocked / "cache")


def test_a_full_disk_gives_a_clear_error_and_leaves_nothing(corpus, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_rows", full)
    with pytest.raises(DocreError, match="No space left"):
        open_cache(corpus, tmp_path)
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]


def test_rows_of_a_large_table_are_fetched_in_the_order_asked_for(tmp_path):
    path = tmp_path / "many.json"
    write_documents(path, [document(seed) for seed in range(600)], "docred")
    table = build_or_open(Corpus(path, DocREDJson()), featurizer(), tmp_path / "cache").table
    chosen = np.random.default_rng(0).permutation(600)[:50]
    assert table[chosen].table.column("id").to_pylist() == [f"toy {k}" for k in chosen]
    some = table.select(chosen)
    assert some.ids == [f"toy {k}" for k in chosen]
    assert some[[3]].row.tolist() == [chosen[3]]
    assert some.num_tokens.tolist() == [table.num_tokens[k] for k in chosen]


def _killed_at(moment, path, root):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    what, name = {
        "rows": (os, "fsync"),
        "report": (ReadReport, "write"),
        "manifest": (Path, "write_bytes"),
        "name": (Path, "rename"),
    }[moment]
    setattr(what, name, die)  # in a process of its own
    build_or_open(Corpus(path, DocREDJson()), featurizer(), root, progress=False)


@pytest.mark.parametrize("moment", ["rows", "report", "manifest", "name"])
def test_killed_between_two_files_of_an_entry(corpus, tmp_path, moment):
    root = tmp_path / "cache"
    for _ in range(2):  # what is left does not grow
        killed = get_context("fork").Process(target=_killed_at, args=(moment, corpus.path, root))
        killed.start()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
        (left,) = (path for path in root.iterdir() if path.is_dir())
        assert ".part-" in left.name
    assert len(open_cache(corpus, tmp_path).table) == 30
    assert not list(root.glob("*.part-*"))


KILLED_WITH_HELPERS = """
import os, signal, sys, time
from pathlib import Path
from docre.data import preprocess
from tests.toy import RELATIONS, TYPES, pieces
from docre.data.cache import Corpus, build_or_open
from docre.data.features import Featurizer
from docre.data.formats.docred import DocREDJson

def slow(first, records):
    (Path(sys.argv[2]) / str(os.getpid())).touch()
    time.sleep(30)
preprocess._work = slow
corpus = Corpus(Path(sys.argv[1]), DocREDJson())
build_or_open(corpus, Featurizer(pieces(), RELATIONS, TYPES), Path("cache"), 2, progress=False)
"""


@pytest.mark.parametrize("whom", ["the first process", "a helper"])
def test_processes_that_build_together_end_together(corpus, tmp_path, whom):
    path, seen = tmp_path / "many.json", tmp_path / "seen"
    seen.mkdir()
    write_documents(path, [document(seed) for seed in range(600)], "docred")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_WITH_HELPERS, str(path), str(seen)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while len(list(seen.iterdir())) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    helpers = [int(one.name) for one in seen.iterdir()]
    os.kill(process.pid if whom == "the first process" else helpers[0], signal.SIGKILL)
    error = process.communicate(timeout=60)[1]
    if whom == "a helper":
        assert f"{path}: one of the 2 processes that prepare documents was ended" in error
        assert not list((tmp_path / "cache").glob("*.part-*"))
    while any(_runs(helper) for helper in helpers):
        assert time.monotonic() < end
        time.sleep(0.02)


def _runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
