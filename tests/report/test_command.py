"""`docre report` from files to a page, and what it refuses."""

from __future__ import annotations

import hashlib
import io
import json
import re

import pytest
from rich.console import Console

from docre.cli import main
from docre.data.formats.official import write_predictions
from docre.data.writing import write_documents
from docre.errors import DataError
from docre.report.command import report
from docre.scoring import predictions_of, score
from tests.toy import document


@pytest.fixture
def files(tmp_path):
    documents = [document(seed, 5) for seed in range(8)]
    paths = {name: tmp_path / f"{name}.json" for name in ("result", "gold", "relations")}
    write_predictions(paths["result"], predictions_of(documents)[::2])
    write_documents(paths["gold"], documents, "docred")
    paths["relations"].write_text(json.dumps({"born_in": "was born in", "x": "y"}))
    return paths


def data_of(page):
    html = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', html, re.S)[1])


def quiet(*arguments, **options):
    return report(*arguments, console=Console(file=io.StringIO()), **options)


def test_page_of_predictions_and_gold(files, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(files["result"]), "--gold", str(files["gold"])])
    assert not ended.value.code
    page = files["result"].with_suffix(".html")
    assert f"8 documents written to {page}" in capsys.readouterr().out.replace("\n", "")
    told = data_of(page)
    documents = [document(seed, 5) for seed in range(8)]
    half = predictions_of(documents)[::2]
    assert told["scores"] == score(half, documents).overall.to_dict()
    for one, role in zip(told["files"], ("predictions", "gold"), strict=True):
        path = files["result" if role == "predictions" else role]
        sum_ = hashlib.sha256(path.read_bytes()).hexdigest()
        assert one == {"role": role, "file": path.name, "sha256": sum_}
    assert [p.name for p in page.parent.iterdir() if p.name.startswith(".")] == []


def test_documents_are_not_looked_at_for_labels(files):
    page = quiet(files["result"], documents=files["gold"], output=files["gold"].parent / "p.html")
    told = data_of(page)
    assert told["scores"] is None
    assert {t[3] for one in told["documents"] for t in one["triples"]} == {"unjudged"}


def test_predicted_documents_need_no_others(files, tmp_path):
    told = data_of(quiet(files["gold"]))
    assert [one["id"] for one in told["documents"]] == [f"toy {seed}" for seed in range(8)]
    assert told["scores"] is None


def test_relations_have_names(files):
    page = quiet(files["result"], gold=files["gold"], relations=str(files["relations"]))
    named = {one["name"]: one["description"] for one in data_of(page)["relations"]}
    assert named["born_in"] == "was born in"


def test_settings_that_make_no_sense(files):
    result, gold = files["result"], files["gold"]
    before = gold.read_bytes()
    for options, message in (
        ({}, "no texts"),
        ({"gold": gold, "documents": gold}, "not both"),
        ({"gold": gold, "output": gold}, "would replace"),
        ({"gold": gold, "output": result}, "would replace"),
        ({"gold": result}, "predictions"),
    ):
        with pytest.raises(DataError, match=message):
            quiet(result, **options)
    assert gold.read_bytes() == before
    assert not result.with_suffix(".html").exists()


def test_a_failure_leaves_the_old_page(files, monkeypatch):
    page = quiet(files["result"], gold=files["gold"])
    before = page.read_bytes()
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        quiet(files["result"], gold=files["gold"], relations=str(files["relations"]))
    assert page.read_bytes() == before
    assert not list(page.parent.glob(".*"))
