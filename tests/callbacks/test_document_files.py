"""Files of a model that predicts whole documents."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import lightning
import pytest
from lightning.pytorch.loggers import CSVLogger

from docre import read_documents
from docre.callbacks import PredictionFile, ScoreFiles
from docre.errors import DocreError
from docre.joint_metrics import JointScore
from docre.prediction_forms import DocumentForm, extraction_entry
from docre.scoring.joint import score_joint
from tests.test_model import data_of, files, trainer  # noqa: F401


class Finder(lightning.LightningModule):
    """Finds what it was told."""

    prediction_form = DocumentForm()
    parent = None

    def __init__(self, documents, score=None):
        super().__init__()
        self.found = {one.id: as_found(one) for one in documents}
        self.score = score

    def predict_step(self, batch, batch_idx):
        return [self.found[name] for name in batch.document_ids]

    def validation_step(self, batch, batch_idx):
        self.score.update(self.predict_step(batch, batch_idx))


def as_found(one):
    """Another type for the first entity, and scores."""
    entities = tuple(
        replace(e, type="ORG" if n == 0 else e.type) for n, e in enumerate(one.entities)
    )
    relations = tuple(replace(r, score=0.75) for r in one.relations or ())
    return replace(one, entities=entities, relations=relations)


@pytest.fixture
def data(files):  # noqa: F811
    return data_of(files, predict_file=str(files / "dev.json"))


def predict(data, path, model=None, **options):
    made = trainer(PredictionFile(None if path is None else str(path)), **options)
    model = model or Finder(data.documents("predict"))
    made.predict(model, datamodule=data, return_predictions=False)
    return list(model.found.values())


def test_documents_as_lines(data, tmp_path, capsys):
    found = predict(data, tmp_path / "p.jsonl")
    assert any(one.relations for one in found)
    assert read_documents(tmp_path / "p.jsonl") == found
    assert f"{len(found)} documents written to" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["p.jsonl"]
    log = CSVLogger(tmp_path, "log", version=0)
    predict(data, None, log=log)
    assert read_documents(tmp_path / "log" / "version_0" / "predictions.jsonl") == found


def test_documents_as_published(data, tmp_path):
    found = predict(data, tmp_path / "p.json")
    told = json.loads((tmp_path / "p.json").read_text())
    assert told == [extraction_entry(one) for one in found]
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_another_ending_is_refused_before_anything_is_read(data, tmp_path):
    model = Finder(())
    with pytest.raises(DocreError, match=r"one of \.jsonl, \.json for a Finder: .*p\.zip"):
        predict(data, tmp_path / "p.zip", model)
    assert not list(tmp_path.iterdir())


def test_a_run_that_breaks_off_leaves_the_old_file(data, tmp_path, monkeypatch):
    path = tmp_path / "p.jsonl"
    path.write_text("old")
    model = Finder(data.documents("predict"))
    del model.found[data.documents("predict")[-1].id]
    with pytest.raises(KeyError):
        predict(data, path, model)
    model = Finder(data.documents("predict"))

    def fail(self, path, lines):
        raise OSError("full")

    monkeypatch.setattr(DocumentForm, "write", fail)
    with pytest.raises(OSError, match="full"):
        predict(data, path, model)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def rank_of(number, world, documents):
    """As much of a trainer of several processes as the file looks at."""
    return SimpleNamespace(
        global_rank=number,
        world_size=world,
        is_global_zero=number == 0,
        fast_dev_run=False,
        loggers=[],
        strategy=SimpleNamespace(broadcast=lambda value: value, barrier=lambda: None),
        datamodule=SimpleNamespace(
            files={"predict": ""},
            documents=lambda split: documents,
            relations=SimpleNamespace(descriptions={}),
        ),
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_processes_end_in_one_file(data, tmp_path, suffix):
    documents = data.documents("predict")
    found = [as_found(one) for one in documents]
    # dealt in turns, the last ones twice as a padded sampler does, one that the data does not know
    shares = [
        [*found[4::-2], found[1]],
        [*found[1::2], found[0]],
        [],
        [replace(found[0], id="new")],
    ]
    path = tmp_path / f"p{suffix}"
    ranks = []
    for number, share in enumerate(shares):
        made, callback = rank_of(number, len(shares), documents), PredictionFile(str(path))
        callback.setup(made, Finder(documents), "predict")
        callback.on_predict_start(made, None)
        for one in share:
            batch = SimpleNamespace(document_ids=(one.id,))
            callback.write_on_batch_end(made, None, [one], None, batch, 0, 0)
        ranks.append((made, callback))
    for made, callback in reversed(ranks):  # rank 0 last: all others have waited for it
        assert not path.exists()
        callback.on_predict_end(made, None)
    expected = [*found, replace(found[0], id="new")]
    if suffix == ".jsonl":
        assert read_documents(path) == expected
    else:
        assert json.loads(path.read_text()) == [extraction_entry(one) for one in expected]
    assert list(tmp_path.iterdir()) == [path]


def test_scores_of_documents(data, tmp_path, capsys):
    gold = data.documents("dev")
    model = Finder(gold, JointScore(gold))
    made = trainer(ScoreFiles(), log=CSVLogger(tmp_path, "log", version=0))
    made.validate(model, datamodule=data, verbose=False)
    path = tmp_path / "log" / "version_0" / "scores" / "dev.json"
    body = json.loads(path.read_text())
    expected = score_joint(gold, model.found.values())
    assert body["scores"] == expected.to_dict(labels=True)
    assert 0 < body["scores"]["relation_strict_f1"] < 1
    assert "entity/ORG/f1" in body["scores"]
    assert (body["split"], body["data"]["module"]) == ("dev", "DocREDFormat")
    assert "thresholds" not in body
    out = capsys.readouterr().out
    for row, value in (
        ("relation strict", expected.relation_strict.overall.f1),
        ("strict, macro", expected.relation_strict.macro_f1),
        ("mention", expected.mention.overall.f1),
        ("MUC", expected.partial_coreference.muc.f1),
        ("CoNLL", expected.partial_coreference.conll_f1),
    ):
        (line,) = (line for line in out.splitlines() if line.strip().startswith(f"{row} "))
        assert f" {100 * value:.2f} " in line
    assert "dev: scores in percent" in out
    assert str(path) in out.replace("\n", "")


def test_scores_of_fewer_tasks(data, tmp_path, capsys):
    gold = data.documents("dev")
    model = Finder(gold, JointScore(gold))
    model.levels = ("entity",)
    model.thresholds = {"mention": 0.5}
    made = trainer(ScoreFiles(), log=CSVLogger(tmp_path, "log", version=0))
    made.validate(model, datamodule=data, verbose=False)
    body = json.loads((tmp_path / "log" / "version_0" / "scores" / "dev.json").read_text())
    assert body["scores"]["entity_f1"] == score_joint(gold, model.found.values()).entity.overall.f1
    assert not any(name.startswith(("mention", "muc", "relation")) for name in body["scores"])
    assert body["thresholds"] == {"mention": 0.5}
    out = capsys.readouterr().out
    assert "entity" in out
    assert "relation" not in out
    assert "MUC" not in out
