"""``docre dictionary`` scores what it finds and writes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docre.data.reading import read_documents
from docre.data.writing import write_documents
from tests.test_cli import run
from tests.test_dictionary_baseline import words


@pytest.fixture
def files(tmp_path):
    train, dev = tmp_path / "train.json", tmp_path / "dev.jsonl"
    write_documents(train, [words("Rome and Paris", "Rome", "Paris")], "docred")
    gold = words("Rome or Oslo", "Rome", "Oslo", id="dev [b]")
    write_documents(dev, [gold])
    return train, dev


def test_scores_and_file(capsys, files, tmp_path):
    output = tmp_path / "found.json"
    code, out, err = run(capsys, "dictionary", *files, "--output", output)
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.count(".") == 3}
    assert rows["mention"] == ["66.67", "100.00", "50.00", "2", "1", "1"]
    assert "entity" in rows
    assert "relation" not in out
    assert "2 names learnt, 1 documents looked through" in out
    (found,) = read_documents(output)
    assert [found.name(k) for k in range(len(found.entities))] == ["Rome"]
    assert found.relations is None


def test_nothing_to_compare_with(capsys, files, tmp_path):
    bare = tmp_path / "bare.jsonl"
    write_documents(bare, [replace(d, entities=()) for d in read_documents(files[1])])
    code, out, _ = run(capsys, "dictionary", files[0], bare)
    assert code == 0
    assert "not scored: the documents have no entities" in out


def test_files_are_not_written_over(capsys, files):
    code, _, err = run(capsys, "dictionary", *files, "--output", files[1])
    assert code == 1
    assert "is one of the files to read" in err
    code, _, err = run(capsys, "dictionary", files[0], "missing.json", "--output", files[1])
    assert (code, err) == (1, "docre: error: missing.json: no such file\n")
