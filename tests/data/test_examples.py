"""What a model is shown: asked of the model, with rows and a cache of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, NamedTuple

import lightning
import numpy as np
import pyarrow as pa
import pytest
import torch

from docre.batch import Batch
from docre.data.cache import Corpus, build_or_open, cache_key
from docre.data.columns import RowKind, RowMaker, schema, to_record_batch
from docre.data.examples import Examples, PairExamples, examples_of
from docre.data.feature_table import EpochRows, FeatureTable
from docre.data.features import FeatureSettings, Featurizer
from docre.data.formats.docred import DocREDJson
from docre.data.label_noise import LabelNoise, apply_noise
from docre.data.modules import BatchSettings, DocREDFormat, ReadSettings
from docre.data.sampling import DocumentBatchSampler
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.errors import DataError, DocreError, Problem
from tests.toy import RELATIONS, TYPES, document, pieces


class Counts(NamedTuple):
    """A kind of row that is none of docre's."""

    id: str
    words: list[str]
    long: bool
    labelled: bool
    label_relation: list[int]
    num_tokens: int
    num_pairs: int


def lost(rows):
    return {"long_documents": int(rows.column("long").to_pylist().count(True))}


def lost_said(counts):
    return f"{counts['long_documents']} are long" if counts["long_documents"] else ""


COUNTS = RowKind(Counts, ("docre.errors",), lost, lost_said)


@dataclass(frozen=True)
class CountSettings:
    most: int = 20


class Counter:
    def __init__(self, settings):
        self.pieces, self.relations, self.types = pieces(), RELATIONS, TYPES
        self.settings = settings

    def __call__(self, documents):
        refused = [Problem("bad", "bad", d.id) for d in documents if d.id == "toy 13 bad"]
        if refused:
            raise DataError(refused)
        return [
            Counts(
                d.id,
                [word for words in d.sentences for word in words],
                d.num_words > self.settings.most,
                d.relations is not None,
                [RELATIONS.index(r.relation) for r in d.relations or ()],
                d.num_words,
                len(d.entities),
            )
            for d in documents
        ]


@dataclass(frozen=True)
class CountExamples(Examples):
    """Shows the number of words."""

    settings: CountSettings = CountSettings()
    kind: ClassVar[RowKind] = COUNTS

    def row_maker(self, pieces, relations, types, settings) -> RowMaker:
        return Counter(self.settings)

    def collate(self, pieces, settings):
        return lambda rows: ("judged", rows.table.column("num_tokens").to_pylist(), rows.epoch)

    def training_collate(self, pieces, settings, seed):
        return lambda rows: ("learnt", rows.table.column("num_tokens").to_pylist(), seed)

    def learnable(self, table):
        if not table.labelled.all():
            raise DocreError("nothing to learn")
        return table

    def document(self, document):
        return document


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    documents = [document(seed, entities=3) for seed in range(20)]
    write_documents(folder / "train.jsonl", documents[:12])
    write_documents(folder / "dev.jsonl", documents[12:])
    save_tokenizer(learn_word_pieces(documents, 500), folder / "tokenizer")
    return folder


def module(folder, tmp_path, **options):
    return DocREDFormat(
        train_file=str(folder / "train.jsonl"),
        dev_file=str(folder / "dev.jsonl"),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path)),
        **options,
    )


class Model(lightning.LightningModule):
    def __init__(self, examples=None):
        super().__init__()
        if examples is not None:
            self.examples = examples
        self.seen = []

    def validation_step(self, batch, _):
        self.seen.append(batch)


def validated(model, data):
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False
    )
    trainer.validate(model, datamodule=data, verbose=False)
    return model.seen


def lengths(data, split):
    return [made.num_words for made in data.documents(split)]


def test_the_model_says_what_it_is_shown(folder, tmp_path):
    data = module(folder, tmp_path)
    assert data.examples == PairExamples()
    assert all(isinstance(batch, Batch) for batch in validated(Model(), data))
    pair_rows = data.cached("dev").folder
    seen = validated(Model(CountExamples()), data)
    assert [kind for kind, *_ in seen] == ["judged"]
    assert [count for _, counts, _ in seen for count in counts] == lengths(data, "dev")
    assert isinstance(data.featurizer, Counter)
    assert data.cached("dev").folder != pair_rows
    tokenizer = data.pieces
    assert all(isinstance(batch, Batch) for batch in validated(Model(), data))
    assert isinstance(data.featurizer, Featurizer)
    assert data.cached("dev").folder == pair_rows
    assert data.pieces is tokenizer  # reading it again would take seconds


def test_equal_examples_open_nothing_twice(folder, tmp_path):
    data = module(folder, tmp_path)
    validated(Model(CountExamples()), data)
    opened, maker = data.cached("dev"), data.featurizer
    validated(Model(CountExamples(CountSettings(20))), data)
    assert data.cached("dev") is opened
    assert data.featurizer is maker
    validated(Model(CountExamples(CountSettings(3))), data)
    assert data.cached("dev") is not opened
    assert data.featurizer.settings.most == 3


def test_examples_set_by_hand_come_first(folder, tmp_path):
    data = module(folder, tmp_path, batches=BatchSettings(seed=8, eval_batch_size=3))
    data.table("train")
    data.examples = CountExamples()
    assert isinstance(data.featurizer, Counter)
    assert list(data.provenance()) == []
    kind, counts, seed = next(iter(data.train_dataloader()))
    assert (kind, len(counts), seed) == ("learnt", 4, 8)
    assert set(counts) <= set(lengths(data, "train"))
    kind, counts, _ = next(iter(data.val_dataloader()))
    assert (kind, counts) == ("judged", lengths(data, "dev")[:3])
    assert validated(Model(PairExamples()), data)[0][0] == "judged"
    data.examples = None
    assert isinstance(validated(Model(PairExamples()), data)[0], Batch)


def test_examples_of_a_model():
    assert examples_of(None) == PairExamples()
    assert examples_of(SimpleNamespace(examples=["of something else"])) == PairExamples()
    assert examples_of(SimpleNamespace(examples=CountExamples())) == CountExamples()


def test_pair_examples_are_the_same_in_training_and_outside(folder, tmp_path):
    data = module(folder, tmp_path)
    assert isinstance(data.featurizer, Featurizer)
    rows = data.table("dev")[[1, 2]]
    make = data.examples.training_collate(data.pieces, data.batches, 3)
    one, other = make(rows), data.examples.collate(data.pieces, data.batches)(rows)
    assert one.document_ids == other.document_ids
    assert torch.equal(one.input_ids, other.input_ids)
    made = document(3)
    assert data.examples.document(made) is made
    assert data.examples.learnable(data.table("train")) is data.table("train")


def test_only_training_rows_have_to_be_learnable(folder, tmp_path):
    write_documents(tmp_path / "bare.jsonl", [document(seed, labelled=False) for seed in range(3)])
    data = DocREDFormat(
        train_file=str(tmp_path / "bare.jsonl"),
        dev_file=str(folder / "dev.jsonl"),
        predict_file=str(tmp_path / "bare.jsonl"),
        tokenizer=str(folder / "tokenizer"),
        reading=ReadSettings(cache_dir=str(tmp_path)),
    )
    data.examples = CountExamples()
    assert len(data.table("predict")) == 3
    for _ in range(2):
        with pytest.raises(DocreError, match="nothing to learn"):
            data.train_dataloader()


@pytest.mark.parametrize("num_proc", [1, 2])
def test_any_kind_of_rows_goes_through_the_cache(tmp_path, num_proc, caplog):
    documents = [document(seed) for seed in range(300)]
    write_documents(tmp_path / "many.json", documents, "docred")
    corpus = Corpus(tmp_path / "many.json", DocREDJson())
    options = {"num_proc": num_proc, "progress": False, "kind": COUNTS}
    with caplog.at_level(logging.WARNING):
        found = build_or_open(corpus, Counter(CountSettings()), tmp_path, **options)
    long = sum(made.num_words > 20 for made in documents)
    assert found.summary["long_documents"] == long > 0
    assert f"many.json: {long} are long" in caplog.text
    assert found.table._dataset.data.to_pylist() == [
        row._asdict() for row in Counter(CountSettings())(documents)
    ]
    assert found.table.num_tokens.tolist() == [made.num_words for made in documents]
    caplog.clear()
    build_or_open(corpus, Counter(CountSettings(999)), tmp_path, **options)
    assert not caplog.text
    bad = [*documents[:290], document(13).__class__("toy 13 bad", (("x",),))]
    write_documents(tmp_path / "bad.json", bad, "docred")
    corpus = Corpus(tmp_path / "bad.json", DocREDJson())
    with pytest.raises(DataError, match=r"bad\.json, document 'toy 13 bad'"):
        build_or_open(corpus, Counter(CountSettings()), tmp_path, **options)


def test_what_decides_rows_is_in_the_key(tmp_path):
    write_documents(tmp_path / "toy.json", [document(1)], "docred")
    corpus, maker = Corpus(tmp_path / "toy.json", DocREDJson()), Counter(CountSettings())
    other_code = RowKind(Counts, ("docre.errors", "docre.documents"), lost, lost_said)
    other_row = RowKind(type("Other", (Counts,), {}), ("docre.errors",), lost, lost_said)
    keys = [
        cache_key(corpus, maker, COUNTS),
        cache_key(corpus, Counter(CountSettings(3)), COUNTS),
        cache_key(corpus, maker, other_code),
        cache_key(corpus, maker, other_row),
        cache_key(corpus, maker),
        cache_key(corpus, Featurizer(pieces(), RELATIONS, TYPES)),
    ]
    assert len(set(keys)) == len(keys)
    assert cache_key(corpus, Counter(CountSettings()), COUNTS) == keys[0]


def test_columns_are_declared_by_the_fields_of_a_row():
    assert schema(COUNTS).types == [
        *(pa.string(), pa.list_(pa.string()), pa.bool_(), pa.bool_(), pa.list_(pa.int32())),
        *(pa.int32(), pa.int32()),
    ]
    assert to_record_batch([], COUNTS).schema == schema(COUNTS)
    empty = FeatureTable.from_batches([], COUNTS)
    assert len(empty) == 0
    rows = Featurizer(pieces(), RELATIONS, TYPES, FeatureSettings())([document(1)])
    with pytest.raises(DocreError, match="not written as docre features"):
        FeatureTable(FeatureTable.from_batches([to_record_batch(rows)])._dataset, kind=COUNTS)


def test_tables_keep_their_kind_and_rows_their_epoch():
    rows = Counter(CountSettings())([document(seed) for seed in range(5)])
    table = FeatureTable.from_batches([to_record_batch(rows, COUNTS)], COUNTS)
    labels = len(table.labels()[1])
    some = table.with_labels(np.arange(labels) % 2 == 0).select(np.array([3, 1]))
    assert some.kind is COUNTS
    with pytest.raises(DocreError, match=r"wrong_labels: .* lack entity_type, label_head, label_t"):
        apply_noise(table, LabelNoise(wrong_labels=0.1), RELATIONS)
    assert some.ids == ["toy 3", "toy 1"]
    assert [found.tolist() for found in some.lists("label_relation")] == [
        rows[3].label_relation,
        rows[1].label_relation,
    ]
    assert table[[1, 2]].epoch == 0
    fetched = some[EpochRows([1, 0], 7)]
    assert (fetched.epoch, fetched.row.tolist()) == (7, [1, 3])
    assert Examples.sampler is DocumentBatchSampler
