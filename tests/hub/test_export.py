"""A run becomes a folder, and the folder is the model."""

import json
import shutil
import socket
from contextlib import chdir
from dataclasses import replace

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from docre.calibration import TemperatureCalibration
from docre.calibration.file import write_calibration
from docre.data.checksums import sha256_of
from docre.data.relations import RelationSet
from docre.errors import DocreError
from docre.hub import from_pretrained, read_model, save_pretrained
from docre.hub.command import export
from docre.joint import JointThresholds
from docre.thresholds_file import write_thresholds
from tests.hub.runs import batches_of
from tests.test_training import quietly

FILES = {
    *("config.json", "model.safetensors", "facts.json", "README.md", "manifest.json"),
    *("tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"),
}


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*given):
        raise AssertionError(f"the network was used: {given}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def logits_of(model, batch):
    with torch.inference_mode():
        return model(batch).logits


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_exported_model_is_the_run(pair_run, exported, tmp_path, monkeypatch, no_network):
    opened, read = batches_of(pair_run)
    monkeypatch.chdir(tmp_path)  # nothing of where the run was trained is needed
    loaded = from_pretrained(exported)
    assert not loaded.model.training
    assert sum(len(batch) for batch, _ in read) == 8
    for batch, output in read:
        assert batch.num_pairs
        assert torch.equal(logits_of(loaded.model, batch), output.logits)
    data = opened.data
    assert loaded.relations == data.relations
    assert dict(loaded.relations.descriptions) == dict(data.relations.descriptions)
    assert loaded.relations.descriptions
    assert loaded.types == data.types
    assert loaded.features == data.features
    assert loaded.tokenizer.get_vocab() == data.pieces._tokenizer.get_vocab()
    assert loaded.calibration is None
    assert loaded.source == str(exported)
    assert loaded.model.decoder.top_k == opened.model.decoder.top_k


def test_a_run_is_read_from_anywhere(pair_run, tmp_path, monkeypatch, exported):
    monkeypatch.chdir(tmp_path)
    run = read_model(pair_run)
    best = read_model(pair_run / "checkpoints" / "best.ckpt")
    assert run.digest == best.digest == read_model(exported).digest
    assert len(run.digest) == 64
    assert run.source == str(pair_run)


def test_any_change_is_another_model(exported):
    loaded = read_model(exported)
    assert replace(loaded, source="elsewhere", facts={}).digest == loaded.digest
    changes = (
        {},
        {"calibration": TemperatureCalibration(2.0)},
        {"features": replace(loaded.features, max_tokens=99)},
        {"types": ("X",)},
        {"relations": RelationSet(tuple(reversed(loaded.relations.names)))},
        {"settings": {**loaded.settings, "arguments": {**loaded.settings["arguments"], "n": 1}}},
    )
    digests = [replace(loaded, **changed).digest for changed in changes]
    weight = next(iter(loaded.model.head.parameters())).view(-1)
    with torch.no_grad():
        weight[0] = weight[0].nextafter(torch.tensor(9.0))
    digests.append(replace(loaded).digest)
    assert len(set(digests)) == 7


def test_the_files(exported, pair_run):
    assert files_of(exported) == FILES
    config = json.loads((exported / "config.json").read_text())
    assert config["library_name"] == "docre"
    assert config["model_class"] == "docre.model.DocREModel"
    assert set(config["arguments"]) == {"encoder", "head", "decoder", "evidence_share"}
    weights = load_file(exported / "model.safetensors")
    trained = torch.load(pair_run / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert any(name.startswith("loss.") for name in trained)
    kept = {k: v for k, v in trained.items() if k.startswith(("encoder.", "head."))}
    assert weights.keys() == kept.keys()
    assert all(torch.equal(weights[name], value) for name, value in kept.items())
    # no place of this machine
    for name in FILES - {"model.safetensors"}:
        assert str(pair_run.parents[2]) not in (exported / name).read_text()


def test_a_joint_model(joint_run, tmp_path, monkeypatch, no_network):
    run = tmp_path / "run"
    shutil.copytree(joint_run, run)
    tuned = JointThresholds(mention=0.1, coreference=0.3, relation=0.02)
    numbers = {"mention": 0.1, "coreference": 0.3, "relation": 0.02}
    write_thresholds(run, run / "checkpoints/best.ckpt", numbers)
    opened, read = batches_of(joint_run)
    data = next(joint_run.parents[2].glob("data/*/tokenizer-900"))
    # a copy of a run that lies elsewhere has lost the way to its tokenizer
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DocreError, match="tokenizer"):
        read_model(run, offline=True)
    monkeypatch.chdir(joint_run.parents[2])
    gold = {one.id: one for one in opened.data.documents("dev")}
    made = save_pretrained(run, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    loaded = read_model(made)
    assert loaded.model.thresholds == tuned
    assert loaded.digest != read_model(joint_run).digest
    monkeypatch.setattr(opened.model, "thresholds", tuned)
    found, given = 0, joint_run.parent.name == "relations"
    for model in (loaded.model, opened.model):  # one that is given entities takes them from there
        monkeypatch.setattr(model, "_documents", gold)
    for batch, states in read:
        with torch.inference_mode():
            assert torch.equal(loaded.model(batch), states)
            ours, theirs = loaded.model.extract(batch), opened.model.extract(batch)
        assert [one.entities for one in ours] == [one.entities for one in theirs]
        assert [one.relations for one in ours] == [one.relations for one in theirs]
        found += sum(len(one.relations if given else one.entities) for one in ours)
    assert found
    assert data.exists()


def test_a_model_saved_again_is_the_same(exported, tmp_path):
    again = save_pretrained(read_model(exported), tmp_path / "again")
    assert read_model(again).digest == read_model(exported).digest
    assert (again / "config.json").read_bytes() == (exported / "config.json").read_bytes()
    assert (again / "model.safetensors").read_bytes() == (
        exported / "model.safetensors"
    ).read_bytes()


def test_shared_weights(exported, tmp_path):
    contents = read_model(exported)
    encoder = contents.model.encoder
    encoder.register_buffer("one", torch.arange(6.0).view(2, 3))
    encoder.register_buffer("same", encoder.one.view(3, 2).t())
    save_pretrained(contents, tmp_path / "shared")
    weights = load_file(tmp_path / "shared" / "model.safetensors")
    assert torch.equal(weights["encoder.same"], encoder.same)
    assert torch.equal(weights["encoder.one"], encoder.one)


def write_scores(run):
    """Write what ``docre test`` writes, as far as a card says it."""
    body = {
        "scores": {"f1": 0.41236, "ign_f1": 0.4, "precision": 0.5, "recall": 0.35},
        "data": {"module": "SyntheticDocRED"},
        "checkpoint": {"sha256": sha256_of(run / "checkpoints/best.ckpt")},
    }
    (run / "scores").mkdir()
    (run / "scores/test.json").write_text(json.dumps(body))


def scores_of_the_command(run):
    quietly("test", "--run", run, "--trainer.enable_progress_bar=false")


@pytest.mark.parametrize(
    "score", [write_scores, pytest.param(scores_of_the_command, marks=pytest.mark.slow)]
)
def test_the_command(pair_run, tmp_path, capsys, monkeypatch, score):
    """With scores and a calibration, which the card then has."""
    run = tmp_path / "runs" / "pair" / "version_0"
    shutil.copytree(pair_run, run)
    monkeypatch.chdir(pair_run.parents[2])
    export(run, tmp_path / "bare")
    told = capsys.readouterr().out
    assert "docre calibrate" in told
    assert "docre test" in told
    score(run)
    known = json.loads((run / "scores/test.json").read_text())["scores"]
    best = run / "checkpoints/best.ckpt"
    write_calibration(run, best, TemperatureCalibration(3.0), {"thresholds": None})
    export(run, tmp_path / "whole")
    told = capsys.readouterr().out
    assert "docre calibrate" not in told
    assert "docre test" not in told
    loaded = read_model(tmp_path / "whole")
    assert loaded.calibration == TemperatureCalibration(3.0)
    assert files_of(tmp_path / "whole") == {*FILES, "calibration.json"}
    card = ModelCard.load(tmp_path / "whole" / "README.md")
    assert card.data.library_name == "docre"
    metrics = {one.metric_name: one for one in card.data.eval_results}
    assert metrics["F1"].metric_value == round(known["f1"], 4)
    assert metrics["Ign F1"].dataset_split == "test"
    assert metrics["F1"].dataset_name == "SyntheticDocRED"
    assert f"| F1 | {100 * known['f1']:.2f} |" in card.text
    checksum = json.loads((run / "run.json").read_text())["data"]["train"]["xxh3_128"]
    for text in (checksum, "fit --config pair.yaml", "@inproceedings{ttm-re", "@software{docre"):
        assert text in card.text
    # scores of another checkpoint say nothing of this one
    other = json.loads((run / "scores/test.json").read_text())
    other["checkpoint"]["sha256"] = "0" * 64
    (run / "scores/test.json").write_text(json.dumps(other))
    assert read_model(run).facts["scores"] == {}


def test_nothing_else_is_replaced(pair_run, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(pair_run.parents[2])
    target = tmp_path / "model"
    shutil.copytree(exported, target)
    with pytest.raises(DocreError, match="--overwrite"):
        save_pretrained(exported, target)
    (target / "notes.txt").write_text("mine")
    save_pretrained(exported, target, overwrite=True)
    assert files_of(target) == FILES
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DocreError, match="something else"):
            export(pair_run, other, overwrite)
    assert files_of(other) == {"notes.txt"}


def test_a_failure_leaves_nothing_behind(exported, tmp_path, monkeypatch):
    contents = read_model(exported)

    def fail(place):
        raise OSError("the disk is full")

    monkeypatch.setattr(contents.tokenizer, "save_pretrained", fail)
    with pytest.raises(OSError, match="disk is full"):
        save_pretrained(contents, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_model(tmp_path, pair_run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DocreError, match="run folder of docre fit"):
        read_model("nothing here")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DocreError, match=r"config\.yaml and checkpoints/"):
        read_model("folder")
    shutil.copy(pair_run / "checkpoints/best.ckpt", "alone.ckpt")
    with pytest.raises(DocreError, match="lies in no run folder"):
        read_model("alone.ckpt")
    run = tmp_path / "a" / "run"
    shutil.copytree(pair_run, run)
    (run / "checkpoints/best.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(DocreError, match="no checkpoint that can be read"):
        read_model(run)
    torch.save({"state_dict": {}}, run / "checkpoints/best.ckpt")
    with pytest.raises(DocreError, match="not a checkpoint of docre"):
        read_model(run)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DocreError, match="library_name docre"):
        read_model("other")


def test_a_checkpoint_imports_nothing_either(pair_run, tmp_path, monkeypatch):
    monkeypatch.chdir(pair_run.parents[2])
    run = tmp_path / "run"
    shutil.copytree(pair_run, run)
    best = run / "checkpoints/best.ckpt"
    known = torch.load(best, weights_only=True)
    known["hyper_parameters"]["head"] = {"class_path": "subprocess.Popen"}
    torch.save(known, best)
    with pytest.raises(DocreError, match=r"best\.ckpt: .*subprocess\.Popen is not of docre"):
        read_model(run)


def test_descriptions_that_a_run_has_not(pair_run, tmp_path, monkeypatch):
    """Relations that were read from a file of names and numbers, all of them DocRED's."""
    monkeypatch.chdir(pair_run.parents[2])
    run = tmp_path / "run"
    shutil.copytree(pair_run, run)
    (run / "relations.json").write_text("{}")
    assert not read_model(run).relations.descriptions  # made-up relations
    best, known = run / "checkpoints/best.ckpt", RelationSet.docred()
    checkpoint = torch.load(best, weights_only=True)
    names = known.names[-len(checkpoint["docre"]["relations"]) :]
    checkpoint["docre"]["relations"] = names
    torch.save(checkpoint, best)
    found = read_model(run).relations
    assert (found.names, len(found.descriptions)) == (names, len(names))
    assert all(found.descriptions[name] == known.descriptions[name] for name in names)


def test_a_calibration_of_another_checkpoint_is_not_taken(pair_run, tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(pair_run.parents[2])
    run = tmp_path / "run"
    shutil.copytree(pair_run, run)
    last = run / "checkpoints/last.ckpt"
    write_calibration(run, last, TemperatureCalibration(3.0), {"thresholds": None})
    assert read_model(last).calibration == TemperatureCalibration(3.0)
    if last.read_bytes() != (run / "checkpoints/best.ckpt").read_bytes():
        assert read_model(run).calibration is None
        assert "docre calibrate again" in caplog.text


def test_the_working_folder_of_a_run(pair_run):
    with chdir(pair_run.parents[2]):
        assert read_model("runs/pair/version_0").tokenizer_name.startswith("data/")
