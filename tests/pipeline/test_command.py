"""``docre predict MODEL FILES``: any number of documents, whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from docre import read_documents, write_documents
from docre.cli import is_lightnings, main
from docre.pipeline import job
from docre.pipeline.batch_reader import BatchReader
from tests.distillation.runs import fit, made_file


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("predict"), "--model.decoder.init_args.top_k=2")


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job, "CHUNK", 2)
    documents = [
        one
        for split in ("train", "dev")
        for one in read_documents(made_file(trained.parents[2], split))
    ]
    write_documents("mine.jsonl", documents)
    return tmp_path


def predict(*arguments):
    """Run the command and return its status."""
    with pytest.raises(SystemExit) as ended:
        main(["predict", *map(str, arguments)])
    return ended.value.code


def test_which_predict_is_meant():
    assert is_lightnings(["predict", "--run", "runs/x", "--documents", "a.json"])
    assert is_lightnings(["predict", "--config=a.yaml", "--ckpt_path", "b.ckpt"])
    assert is_lightnings(["test", "anything"])
    assert not is_lightnings(["predict", "runs/x", "a.json", "--device", "cpu"])
    assert not is_lightnings(["predict", "--help"])
    assert not is_lightnings(["score", "--run"])


def test_all_files_are_made_in_one_go(trained, here, capsys):
    outputs = ["a.jsonl", "a.csv", "a.json", "a.graphml", "a.html"]
    assert predict(trained, "mine.jsonl", "--output", *outputs) == 0
    told = capsys.readouterr().out
    assert "triples of 17 documents written to a.jsonl, a.csv, a.json, a.graphml, a.html" in told
    assert all((here / name).stat().st_size > 100 for name in outputs)
    lines = [json.loads(line) for line in (here / "a.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [one.id for one in read_documents("mine.jsonl")]
    assert f"{sum(len(line['triples']) for line in lines):,} triples" in told
    assert {path.name for path in here.iterdir()} == {"mine.jsonl", *outputs}


@pytest.mark.parametrize("killed_at", [0, 1, 4, 8])
@pytest.mark.parametrize("torn", [False, True])
def test_a_killed_command_goes_on_and_repeats_nothing(
    trained, here, capsys, monkeypatch, killed_at, torn
):
    assert predict(trained, "mine.jsonl", "--output", "whole.jsonl") == 0
    read, asked = BatchReader.__call__, []

    def until_killed(self, documents):
        if len(asked) == killed_at:
            raise KeyboardInterrupt
        asked.append([one.id for one in documents])
        return read(self, documents)

    monkeypatch.setattr(BatchReader, "__call__", until_killed)
    assert predict(trained, "mine.jsonl", "--output", "out.jsonl") == 130
    assert not (here / "out.jsonl").exists()
    part = here / "out.jsonl.part"
    if torn:  # as a kill in the middle of writing leaves it
        with part.open("ab") as file:
            file.write(b'{"document":{"id":"tor')
    killed_at = 99
    assert predict(trained, "mine.jsonl", "--output", "out.jsonl") == 0
    assert (here / "out.jsonl").read_bytes() == (here / "whole.jsonl").read_bytes()
    assert not part.exists()
    once = [name for names in asked for name in names]
    assert once == [one.id for one in read_documents("mine.jsonl")]


def test_what_was_begun_otherwise_is_not_gone_on_with(trained, here, capsys, monkeypatch):
    def killed(self, documents):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchReader, "__call__", killed)
        assert predict(trained, "mine.jsonl") == 130
    assert (here / "predictions.jsonl.part").exists()
    capsys.readouterr()
    assert predict(trained, "mine.jsonl", "--precision", "bf16") == 1
    assert "with other documents or options" in (told := capsys.readouterr().err)
    assert "(other: precision)" in told
    assert predict(trained, "mine.jsonl", "--precision", "bf16", "--again") == 0
    assert not (here / "predictions.jsonl.part").exists()


def test_a_stop_says_how_to_go_on(trained, here, capsys, monkeypatch):
    read, calls = BatchReader.__call__, []

    def interrupted(self, documents):
        calls.append(len(documents))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return read(self, documents)

    monkeypatch.setattr(BatchReader, "__call__", interrupted)
    assert predict(trained, "mine.jsonl") == 130
    assert "stopped behind document 4: the same command goes on there" in capsys.readouterr().out


def test_a_full_disk_is_one_line(trained, here, capsys, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("docre.pipeline.journal.os.fsync", full)
        assert predict(trained, "mine.jsonl") == 1
    told = capsys.readouterr().err
    assert told.startswith("docre: error: predictions.jsonl.part: No space left on device; ")
    assert "the same command goes on behind them" in told
    assert predict(trained, "mine.jsonl") == 0
    assert len((here / "predictions.jsonl").read_text().splitlines()) == 17


def test_a_file_of_nothing_useful_leaves_what_was_there(trained, here, capsys):
    assert predict(trained, "mine.jsonl", "--output", "a.jsonl") == 0
    before = (here / "a.jsonl").read_bytes()
    (here / "bad.jsonl").write_text('{"id": "bad", "sentences": 3, "entities": []}\n')
    assert predict(trained, "bad.jsonl", "--output", "a.jsonl") == 1
    assert (here / "a.jsonl").read_bytes() == before
    assert (here / "a.jsonl.problems.jsonl").exists()
    assert "1 of 1 documents could not be used" in capsys.readouterr().out


def test_two_commands_do_not_write_one_file(trained, here, capsys):
    import fcntl

    with (here / "predictions.jsonl.part").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert predict(trained, "mine.jsonl") == 1
    assert "another docre predict is writing it" in capsys.readouterr().err


def test_bad_documents_are_reported_and_the_rest_is_done(trained, here, capsys):
    good = (here / "mine.jsonl").read_text()
    bad = '{"id": "bad", "sentences": [["a"]], "entities": [{"mentions": []}]}\n'
    (here / "some.jsonl").write_text(bad + good + '{"id": "worse"\n')
    assert predict(trained, "some.jsonl", "--output", "a.jsonl", "a.csv") == 0
    told = capsys.readouterr().out
    assert "2 of 19 documents could not be used: see a.jsonl.problems.jsonl" in told
    assert "document 'bad', entities[0].mentions: the entity has no mention" in told
    problems = [json.loads(x) for x in (here / "a.jsonl.problems.jsonl").read_text().splitlines()]
    assert [one["document"] for one in problems] == ["bad", "#18"]
    assert len((here / "a.jsonl").read_text().splitlines()) == 17
    assert predict(trained, "mine.jsonl", "--output", "a.jsonl") == 0
    assert not (here / "a.jsonl.problems.jsonl").exists()


def test_texts_without_entities_are_said(trained, here, capsys):
    (here / "texts").mkdir()
    (here / "texts" / "one.txt").write_text("Ada was born in London.")
    assert predict(trained, "texts") == 1
    told = capsys.readouterr().out
    assert "without entities, so with nothing to relate: 1: --finder names what finds them" in told
    assert not (here / "predictions.jsonl").exists()
    assert predict(trained, "texts", "mine.jsonl") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./runs/none", "mine.jsonl"], "no such model: ./runs/none"),
        (["RUN", "none.jsonl"], "no such file or folder: none.jsonl"),
        (["RUN", "mine.jsonl", "--output", "a.txt"], "a.txt ends in none of .jsonl"),
        (["RUN", "mine.jsonl", "--output", "mine.jsonl"], "is one of the files to read"),
        (["RUN", "mine.jsonl", "--output", "a.csv", "./a.csv"], "a file is named twice"),
        (["RUN", "mine.jsonl", "--output", "folder.jsonl"], "folder.jsonl is a folder"),
        (["RUN", "mine.jsonl", "--token_budget", "-5"], "token_budget: must be at least 1"),
        (["RUN", "mine.jsonl", "notes.md"], "notes.md: cannot tell the format"),
        (["RUN", "mine.jsonl", "--finder", "gliner:x"], "gliner looks for what it is told"),
        (["RUN", "mine.jsonl", "--finder", "spacy:x", "--labels", "y"], "only gliner"),
        (["RUN", "mine.jsonl", "--min_probability", "0.5"], "docre calibrate --run RUN"),
        (["RUN", "mine.jsonl", "--device", "cuda:99"], "device: cuda:99"),
    ],
)
def test_mistakes_are_one_line(trained, here, capsys, arguments, message):
    words = [str(trained) if word == "RUN" else word for word in arguments]
    (here / "folder.jsonl").mkdir()
    (here / "notes.md").write_text("no documents")
    assert predict(*words) == 1
    told = capsys.readouterr().err
    assert told.startswith("docre: error: ")
    assert message in told
    assert "Traceback" not in told
    assert not list(here.glob("*.part"))


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_time_loses_nothing(trained, here):
    """SIGKILL after growing times, until one command gets through."""
    documents = read_documents("mine.jsonl") * 40
    many = [replace(one, id=f"{one.id} {number}") for number, one in enumerate(documents)]
    write_documents("many.jsonl", many)
    words = [sys.executable, "-m", "docre", "predict", str(trained), "many.jsonl", "--output"]
    subprocess.run([*words, "whole.jsonl"], check=True)
    kills = 0
    for wait in (3.0 + 0.4 * n for n in range(60)):
        process = subprocess.Popen([*words, "out.jsonl"])
        end = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert process.returncode == 0
    assert kills >= 1
    assert (here / "out.jsonl").read_bytes() == (here / "whole.jsonl").read_bytes()
