"""Score files, prediction files and the folder they go to."""

import hashlib
import json

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from docre.callbacks import PredictionFile, ScoreFiles
from docre.callbacks.run_folder import log_folder, run_folder
from docre.comparison.document_counts import read_counts
from docre.data.formats.official import read_predictions
from docre.errors import DocreError
from docre.model import DocREModel
from tests.test_model import (  # noqa: F401
    ENCODER,
    READER,
    S_PU,
    Log,
    data_of,
    files,
    head_of,
    make,
    train_into,
    trainer,
)


@pytest.fixture(scope="module")
def run(files, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("run")
    train_into(folder / "checkpoints", files)
    return folder


def model_of(run):
    path = run / "checkpoints" / "last.ckpt"
    options = {"encoder": ENCODER, "head": head_of(READER), "loss": S_PU}
    return DocREModel.load_from_checkpoint(path, **options), path


def test_where_files_go(run, tmp_path):
    _, path = model_of(run)
    logged = trainer(log=CSVLogger(tmp_path, "name", version=4))
    assert run_folder(logged) == log_folder(logged) == tmp_path / "name" / "version_4"
    logged.ckpt_path = str(path)
    assert (run_folder(logged), log_folder(logged)) == (run, tmp_path / "name" / "version_4")
    logged.ckpt_path = str(tmp_path / "elsewhere.ckpt")
    assert run_folder(logged) == log_folder(logged)
    assert run_folder(trainer()) is None
    assert run_folder(trainer(log=Log())) is None
    quick = trainer(fast_dev_run=True)
    quick.ckpt_path = str(path)
    assert run_folder(quick) is None


def test_scores_lie_beside_the_checkpoint(run, files, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    model, path = model_of(run)
    data = data_of(files, test_file=str(files / "few.jsonl"))
    made = trainer(ScoreFiles())
    (shown,) = made.validate(model, datamodule=data, ckpt_path=path, verbose=False)
    made.test(model, datamodule=data, ckpt_path=path, verbose=False)
    dev, test = (
        json.loads((run / "scores" / f"{name}.json").read_text()) for name in ("dev", "test")
    )
    assert (dev["split"], test["split"]) == ("dev", "test")
    assert dev["scores"]["f1"] == pytest.approx(shown["val/f1"])
    assert dev["seed"] == 5
    assert dev["checkpoint"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(dev["data"]) == {"module", "dev"}
    assert dev["facts"][0]["name"] == "train.json"
    assert (test["scores"]["documents"], test["data"]["module"]) == (8, "DocREDFormat")
    for name, body in {"dev": dev, "test": test}.items():
        (counts,) = read_counts(run / "scores" / "documents" / f"{name}.json").values()
        assert len(set(counts.documents)) == body["scores"]["documents"]
        totals = dict(zip(("gold", "predicted", "correct"), counts.totals().tolist(), strict=False))
        assert totals.items() <= body["scores"].items()
    # whoever reads all score files finds no others there
    assert sorted(path.name for path in (run / "scores").glob("*.json")) == [
        "dev.json",
        "test.json",
    ]
    out = capsys.readouterr().out
    assert f"F1 {dev['scores']['f1']:.4f}" in out
    assert "(without train.json)" in out


def test_a_training_writes_no_score_files(files, tmp_path):  # noqa: F811
    train_into(tmp_path / "checkpoints", files, ScoreFiles())
    assert not (tmp_path / "scores").exists()


def predictions(run, files, path, **options):  # noqa: F811
    model, checkpoint = model_of(run)
    data = data_of(files, predict_file=str(files / "unlabelled.jsonl"), **options)
    made = trainer(PredictionFile(None if path is None else str(path)))
    made.predict(model, datamodule=data, ckpt_path=checkpoint, return_predictions=False)
    return data.documents("predict")


def test_a_line_for_each_document_while_it_goes_on(run, files, tmp_path):  # noqa: F811
    documents = predictions(run, files, tmp_path / "new" / "p.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "new" / "p.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [made.id for made in documents]
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "p.jsonl"]
    predictions(run, files, None)
    assert (run / "predictions.jsonl").read_text() == (tmp_path / "new" / "p.jsonl").read_text()
    triples = [(line["id"], t) for line in lines for t in line["triples"]]
    predictions(run, files, tmp_path / "p.json")
    found = read_predictions(tmp_path / "p.json")
    assert [(p.document, p.head, p.tail, p.relation) for p in found] == [
        (name, t["head"], t["tail"], t["relation"]) for name, t in triples
    ]
    assert [p.score for p in found] == pytest.approx([t["margin"] for _, t in triples], abs=1e-4)
    assert [p.evidence for p in found] == [tuple(t["evidence"]) for _, t in triples]
    assert triples


def test_a_run_that_breaks_off_leaves_the_old_file(run, files, tmp_path, monkeypatch):  # noqa: F811
    path = tmp_path / "p.jsonl"
    predictions(run, files, path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise RuntimeError("power cut")

    monkeypatch.setattr(DocREModel, "predict_step", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        predictions(run, files, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_say_no_format():
    with pytest.raises(DocreError, match=r"must end in one of \.jsonl, \.json, \.zip: p\.csv"):
        PredictionFile("p.csv")


def test_no_scores_without_labels_to_compare(files):  # noqa: F811
    model = make(READER)
    made = trainer(ScoreFiles())
    made.fit(model, datamodule=data_of(files, dev=None))
    assert model.score is None
    assert torch.isfinite(model.head.classifier.weight).all()
