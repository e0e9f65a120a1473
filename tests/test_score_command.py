"""``score_files`` prints what it scored, against what, and why something is missing."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from rich.console import Console

import docre
from docre.data.formats.official import read_predictions
from docre.errors import DocreError
from docre.score_command import score_files
from docre.scoring import UnlabelledError

MENTION = {"name": "Ada", "sent_id": 0, "pos": [0, 1], "type": "PER"}


def document(title, labels):
    raw = {
        "title": title,
        "sents": [["Ada", "met", "Bob"], ["He", "left"]],
        "vertexSet": [
            [MENTION],
            [{**MENTION, "name": "Bob", "pos": [2, 3]}],
            [{**MENTION, "name": "He", "sent_id": 1}],
        ],
    }
    return raw if labels is None else {**raw, "labels": labels}


@pytest.fixture
def files(tmp_path):
    labels = [
        {"h": 0, "t": 1, "r": "P1", "evidence": [0]},
        {"h": 0, "t": 2, "r": "P2", "evidence": [0, 1]},
    ]
    entries = [
        {"title": "one", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": [0]},
        {"title": "one", "h_idx": 0, "t_idx": 1, "r": "P1", "evidence": [1]},
        {"title": "else", "h_idx": 0, "t_idx": 1, "r": "P1"},
    ]
    contents = {
        "pred": entries,
        "gold": [document("one", labels), document("two", None)],
        "blind": [document("one", None)],
        "facts": [["Ada", "Bob", "P1"]],
    }
    paths = {name: tmp_path / f"{name}.json" for name in contents}
    for name, content in contents.items():
        paths[name].write_text(json.dumps(content))
    return paths


def run(files, **options):
    console = Console(file=io.StringIO(), width=140)
    scores = score_files(files["pred"], files["gold"], console=console, **options)
    return scores, console.file.getvalue()


def test_table(files):
    scores, text = run(files, facts=files["facts"], bootstrap=50, seed=3)
    assert scores.overall.correct == 1
    assert scores.ign["facts.json"].seen_correct == 1
    for word in ("Ign (facts.json)", "evidence", "intra", "long_tail", "95 % of F1"):
        assert word in text
    for name in ("pred", "gold", "facts"):
        checksum = hashlib.sha256(files[name].read_bytes()).hexdigest()[:12]
        assert f"(sha256 {checksum})" in text
    assert "1 facts" in text
    assert f"docre {docre.__version__}" in text
    assert "1 documents without labels were left out" in text
    assert "1 predictions are for documents the gold does not have" in text
    assert "1 repeated predictions were dropped" in text
    assert "50 resamples of documents, seed 3" in text


def test_without_facts_there_is_no_ign_f1_and_a_reason(files):
    scores, text = run(files)
    assert not scores.ign
    assert "Ign (" not in text
    assert "Ign F1 is not shown" in text
    assert "--facts" in text


def test_unlabelled_gold(files):
    console = Console(file=io.StringIO())
    with pytest.raises(UnlabelledError, match="labels") as raised:
        score_files(files["pred"], files["blind"], console=console)
    assert isinstance(raised.value, DocreError)
    assert console.file.getvalue() == ""
    submission = files["pred"].with_suffix(".zip")
    assert str(submission) in str(raised.value)
    assert read_predictions(submission) == read_predictions(files["pred"])


def test_json_and_output_are_equal(files, tmp_path):
    output = tmp_path / "new" / "scores.json"
    scores, text = run(files, facts=files["facts"], json=True, output=output, bootstrap=20)
    body = json.loads(text)
    assert body == json.loads(output.read_text())
    assert body["scores"]["f1"] == scores.f1
    assert body["scores"]["relation/P1/f1"] == scores.relations["P1"].f1
    assert len(body["intervals"]["f1"]) == 2
    assert body["gold"]["sha256"] == hashlib.sha256(files["gold"].read_bytes()).hexdigest()


def test_frequent_relations_as_asked(files):
    scores, text = run(files, frequent=["P2"])
    assert (scores.groups["frequent"].gold, scores.groups["long_tail"].gold) == (1, 1)
    assert "frequent: P2" in text


def test_documents_as_predictions(files):
    console = Console(file=io.StringIO(), width=140)
    scores = score_files(files["gold"], files["gold"], console=console)
    assert scores.f1 == 1
    assert scores.evidence.f1 == 1


@pytest.mark.parametrize("setting", ["bootstrap", "seed"])
def test_negative_settings_are_refused(files, setting):
    with pytest.raises(DocreError, match=f"{setting} must not be negative, it is -3"):
        run(files, **{setting: -3})


def test_predictions_where_documents_belong(files):
    with pytest.raises(DocreError, match="are the arguments swapped"):
        run({**files, "pred": files["gold"], "gold": files["pred"]})
    with pytest.raises(DocreError, match="are the arguments swapped"):
        run(files, facts=files["pred"])
