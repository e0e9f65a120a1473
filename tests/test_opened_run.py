"""Opening a run: what ``docre predict`` would use, and a loop over it."""

import json
import shutil
from contextlib import chdir

import msgspec
import pytest
import torch

from docre import read_documents, write_documents
from docre.data.formats.official import read_predictions
from docre.data.modules import BatchSettings
from docre.errors import DataError, DocreError
from docre.opened_run import open_run
from docre.training import run
from docre.triples import triples_of
from tests.distillation.runs import fit, made_file


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("opened"))


@pytest.fixture(autouse=True)
def here(trained, monkeypatch):
    monkeypatch.chdir(trained.parents[2])
    return trained.parents[2]


@pytest.fixture(scope="module")
def opened(trained):
    with chdir(trained.parents[2]):
        made = open_run(trained)
        made.data.cached("test")
    return made


def names_and_logits(output, batch):
    assert torch.is_inference_mode_enabled()
    return batch.document_ids, output.logits


def triples_with(opened):
    model = opened.model

    def reading(output, batch):
        return triples_of(output, batch, model.relations, model.decoder, model.evidence_share)

    return reading


def test_all_documents_come_in_the_order_of_their_file(opened, here):
    for split, count in (("train", 12), ("dev", 5), ("test", 5)):
        expected = [made.id for made in read_documents(made_file(here, split))]
        assert len(expected) == count
        batches = [names for names, _ in opened.read(split, names_and_logits)]
        assert [name for names in batches for name in names] == expected
        assert max(map(len, batches)) == 2
    sizes = [len(names) for names, _ in opened.read("test", names_and_logits, batch_size=3)]
    assert sizes == [3, 2]


def test_budgets_fill_batches_in_order(opened):
    budget = int(opened.data.cached("train").table.num_pairs.max())
    batches = opened.data.batches
    opened.data.batches = BatchSettings(pair_budget=budget)
    try:
        found = list(opened.read("train", lambda output, batch: batch))
    finally:
        opened.data.batches = batches
    assert all(batch.num_pairs <= budget for batch in found)
    assert [name for b in found for name in b.document_ids] == opened.data.cached("train").table.ids
    assert 1 < len(found) < 12


def test_the_weights_are_those_of_the_checkpoint(opened, trained):
    assert opened.checkpoint == trained / "checkpoints" / "best.ckpt"
    known = torch.load(opened.checkpoint, weights_only=True)["state_dict"]
    ours = opened.model.state_dict()
    assert known.keys() == ours.keys()
    assert all(torch.equal(known[name], value) for name, value in ours.items())
    assert not opened.model.training


def test_one_batch_at_a_time_and_no_mode_left_on(opened):
    reading = opened.read("test", names_and_logits)
    _, logits = next(reading)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield batch

    batch = next(opened.read("test", lambda output, batch: batch))
    several = opened.read_batches(endless(), names_and_logits)
    for count in (1, 2):
        names, again = next(several)
        assert (names, taken) == (batch.document_ids, count)
        torch.testing.assert_close(again, logits)


def test_what_is_read_is_what_docre_predict_writes(opened, trained, tmp_path):
    run(["predict", "--run", str(trained), "--output", str(tmp_path / "p.json")])
    expected = set(read_predictions(tmp_path / "p.json"))
    assert expected
    found = {t.prediction for triples in opened.read("test", triples_with(opened)) for t in triples}
    assert found == expected


def test_a_file_of_ones_own(trained, here, opened, tmp_path):
    documents = read_documents(made_file(here, "train"))[3:6]
    write_documents(tmp_path / "mine.jsonl", documents)
    mine = open_run(trained, tmp_path / "mine.jsonl")
    found = dict(zip_of(mine.read("predict", names_and_logits, batch_size=1)))
    assert list(found) == [made.id for made in documents]
    theirs = dict(zip_of(opened.read("train", names_and_logits, batch_size=1)))
    for name, logits in found.items():
        torch.testing.assert_close(logits, theirs[name])
    with pytest.raises(DocreError, match="has no test file"):
        mine.read("test", names_and_logits)


def zip_of(parts):
    for (name,), logits in parts:
        yield name, logits


def test_precision(trained, opened):
    expected = torch.cat([logits for _, logits in opened.read("test", names_and_logits)])
    half = open_run(trained, arguments=["--trainer.precision", "bf16-mixed"])

    def watched(output, batch):
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        assert torch.is_autocast_enabled("cpu")
        return output.logits.float()

    logits = torch.cat(list(half.read("test", watched)))
    assert not torch.is_autocast_enabled("cpu")
    assert not torch.equal(logits, expected)
    torch.testing.assert_close(logits, expected, atol=0.03, rtol=0.03)


def test_neither_weights_nor_the_trained_data_are_needed(trained, here, tmp_path, monkeypatch):
    """The checkpoint says how the encoder is built, and the file which documents to read."""
    monkeypatch.chdir(here)
    moved = tmp_path / "run"
    shutil.copytree(trained, moved)
    known = msgspec.yaml.decode((moved / "config.yaml").read_bytes())
    known["model"]["encoder"]["init_args"] = {"weights": "nobody/has-this"}
    (moved / "config.yaml").write_bytes(msgspec.yaml.encode(known))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = open_run(moved, made_file(here, "dev"))
    assert len(list(made.read("predict", names_and_logits))) == 3


def test_errors(trained, here, tmp_path):
    with pytest.raises(DocreError, match="no such run folder"):
        open_run("nowhere")
    with pytest.raises(DocreError, match=r"no such file: no\.json"):
        open_run(trained, "no.json")
    with pytest.raises(DocreError, match="one device, not on 2"):
        open_run(trained, arguments=["--trainer.devices=2"])
    with pytest.raises(DocreError, match=r"does not fit the model: .* of another size"):
        open_run(trained, arguments=["--model.head.init_args.width=8"])
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"not a checkpoint")
    for name in ("config.yaml", "run.json", "relations.json"):
        shutil.copy(trained / name, tmp_path)
    with pytest.raises(DocreError, match=r"best\.ckpt is no checkpoint that can be read"):
        open_run(tmp_path)
    (here / "bad.json").write_text('[{"title": "x", "sents": [], "vertexSet": [[]]}]')
    with pytest.raises(DataError, match="'x'"):
        list(open_run(trained, here / "bad.json").read("predict", names_and_logits))
    (here / "bad.json").unlink()


def test_data_of_other_relations(trained, here, tmp_path):
    made = {
        "class_path": "docre.data.modules.DocREDFormat",
        "init_args": {
            "predict_file": str(made_file(here, "dev")),
            "relations_file": str(tmp_path / "names.json"),
            "tokenizer": json.loads((trained / "run.json").read_text())["tokenizer"],
            "types": ["PER"],
        },
    }
    (tmp_path / "names.json").write_text(json.dumps(["one", "two"]))
    with pytest.raises(DocreError, match="knows the entity types"):
        open_run(trained, arguments=["--data", json.dumps(made)])
