"""The model: built from data, trained, logged, scored, saved and loaded."""

import json
import math
from dataclasses import replace
from functools import partial

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from torch import nn

from docre.callbacks import FreezeModules, Throughput
from docre.data.collate import Collate
from docre.data.modules import BatchSettings, DocREDFormat, ReadSettings
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.decoding import ThresholdDecoder
from docre.encoder import Encoder
from docre.errors import DocreError
from docre.heads import GroupedBilinear, Head, PairHead
from docre.losses import (
    AdaptiveFocalLoss,
    AdaptiveThresholdLoss,
    BalancedSoftmaxLoss,
    PositiveUnlabelledLoss,
)
from docre.memory import TokenTuringReader
from docre.model import DocREModel
from docre.optim import GroupSettings, LearningRates
from docre.outputs import HeadOutput
from docre.scoring import Gold, score
from tests.data.test_collate import table_of
from tests.toy import RELATIONS, document

BERT = {
    "model_type": "bert",
    "vocab_size": 600,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 160,
}
ENCODER = partial(Encoder, config=BERT)
READER = partial(TokenTuringReader, slots=6, attention_heads=2)
S_PU = partial(PositiveUnlabelledLoss, risk="s-pu", prior_multiple=3.0)


def head_of(memory=None, **options):
    return partial(
        PairHead,
        width=16,
        memory=memory,
        classifier=partial(GroupedBilinear, block_size=4),
        **options,
    )


def make(memory=None, seed=0, **options):
    """A tiny model."""
    torch.manual_seed(seed)
    options = {"encoder": ENCODER, "head": head_of(memory), **options}
    return DocREModel(**options)


def built(memory=None, **options):
    """A tiny model with its parts, in double precision, for evaluation."""
    model = make(memory, **options)
    model.build(tuple(RELATIONS), "nothing")
    return model.double().eval()


def batch_of(documents):
    return Collate()(table_of(documents)[range(len(documents))])


class Log(Logger):
    """Remembers what is logged."""

    name = "log"
    version = 0

    def __init__(self):
        super().__init__()
        self.lines = []

    def log_metrics(self, metrics, step=None):
        self.lines.append((step, dict(metrics)))

    def log_hyperparams(self, *args, **kwargs):
        pass

    def steps(self, name):
        """Step and value of each line that has a name."""
        return [(step, line[name]) for step, line in self.lines if name in line]


def trainer(*callbacks, log=None, folder=None, **options):
    """A quiet trainer on the CPU."""
    saving = [ModelCheckpoint(folder, save_last=True)] if folder is not None else []
    return lightning.Trainer(
        accelerator="cpu",
        devices=1,
        callbacks=[*callbacks, *saving],
        logger=log or False,
        enable_checkpointing=folder is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **{"max_epochs": 1, **options},
    )


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Toy documents in files, and a tokenizer."""
    folder = tmp_path_factory.mktemp("toy")
    documents = [document(seed, entities=4) for seed in range(30)]
    write_documents(folder / "train.json", documents[:18], "docred")
    write_documents(folder / "dev.json", documents[18:24], "docred")
    unlabelled = [document(seed, entities=3, labelled=False) for seed in range(40, 44)]
    write_documents(folder / "unlabelled.jsonl", unlabelled)
    few = [document(50 + n, entities=n % 3) for n in range(8)]
    write_documents(folder / "few.jsonl", few)
    write_documents(folder / "none.jsonl", [document(70 + n, entities=n % 2) for n in range(8)])
    save_tokenizer(learn_word_pieces(documents, 500), folder / "tokenizer")
    (folder / "relations.json").write_text(json.dumps(list(RELATIONS)))
    return folder


def data_of(files, train="train.json", dev="dev.json", **options):
    named = {"train_file": train, "dev_file": dev, "relations_file": "relations.json"}
    given = {key: str(files / value) for key, value in named.items() if value is not None}
    given |= {"types": ["PER", "LOC", "ORG"], "tokenizer": str(files / "tokenizer")}
    batches = options.pop("batches", BatchSettings(batch_size=4))
    reading = ReadSettings(cache_dir=str(files / "cache"), offline=True)
    return DocREDFormat(**given | options, batches=batches, reading=reading)


# --- training and its log -------------------------------------------------------------------------


class Watcher(lightning.Callback):
    """Computes slowly what the model logs."""

    def __init__(self):
        self.norms, self.rates = [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        squares = [p.grad.square().sum() for p in pl_module.parameters() if p.grad is not None]
        self.norms.append(math.sqrt(sum(map(float, squares))))
        self.rates.append([group["lr"] for group in optimizer.param_groups])


class CountingDecoder(ThresholdDecoder):
    """Counts what it lets through in training."""

    count = 0

    def mask(self, logits):
        mask = super().mask(logits)
        if not torch.is_grad_enabled():
            return mask
        type(self).count += int(mask.sum())
        return mask


def test_each_step_is_logged(files):
    log, watcher = Log(), Watcher()
    CountingDecoder.count = 0
    model = make(READER, loss=S_PU, decoder=CountingDecoder)
    trainer(Throughput(), watcher, log=log).fit(model, datamodule=data_of(files))
    steps = list(range(5))  # 18 documents, 4 a step
    for name in ("train/loss", "train/loss/positive", "train/loss/negative", "train/grad_norm"):
        assert [step for step, _ in log.steps(name)] == steps, name
    for (_, total), (_, one), (_, two) in zip(
        *(log.steps(f"train/loss{part}") for part in ("", "/positive", "/negative")), strict=True
    ):
        assert total == pytest.approx(one + two, rel=1e-5)
    norms = [value for _, value in log.steps("train/grad_norm")]
    assert norms == pytest.approx(watcher.norms, rel=1e-4)
    columns = zip(*watcher.rates, strict=True)
    for name, column in zip(("encoder", "memory", "head"), columns, strict=True):
        assert [value for _, value in log.steps(f"lr/{name}")] == pytest.approx(column)
    for name in ("documents", "tokens", "pairs"):
        assert len(log.steps(f"throughput/{name}")) == 5
        assert all(value > 0 for _, value in log.steps(f"throughput/{name}"))
    assert [value for _, value in log.steps("train/predicted")] == [CountingDecoder.count]
    for name in ("f1", "ign_f1", "precision", "recall", "loss", "loss/positive", "loss/negative"):
        assert len(log.steps(f"val/{name}")) == 1, name


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_schedule_ticks_with_each_update(files, accumulate):
    watcher = Watcher()
    rates = LearningRates(GroupSettings(1e-3), GroupSettings(2e-3))
    model = make(rates=rates)
    made = trainer(watcher, max_epochs=4, accumulate_grad_batches=accumulate)
    made.fit(model, datamodule=data_of(files))
    updates = 4 * math.ceil(5 / accumulate)
    assert made.global_step == updates == len(watcher.rates)
    rising = int(0.06 * updates)
    for step, found in enumerate(watcher.rates):
        share = step / rising if step < rising else (updates - step) / (updates - rising)
        assert found == pytest.approx([1e-3 * share, 2e-3 * share])
    assert [group["lr"] for group in made.optimizers[0].param_groups] == [0, 0]


def test_each_parameter_is_in_one_group(files):
    rates = LearningRates(
        GroupSettings(1e-3, 0.1), GroupSettings(2e-3, 0.2), GroupSettings(3e-3, 0.3)
    )
    frozen = FreezeModules(["head.memory.memory", "head.classifier.bias"])
    model = make(READER, rates=rates, encoder=partial(ENCODER, freeze_layers=1))
    made = trainer(frozen, max_steps=1)
    made.fit(model, datamodule=data_of(files))
    names = {id(p): name for name, p in model.named_parameters()}
    groups = {
        group["name"]: {names[id(p)] for p in group["params"]}
        for group in made.optimizers[0].param_groups
    }
    assert list(groups) == ["encoder", "memory", "head"]
    listed = [name for group in groups.values() for name in group]
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert len(listed) == len(set(listed))
    assert set(listed) == trainable
    assert all(name.startswith("encoder.") for name in groups["encoder"])
    assert all(name.startswith("head.memory.") for name in groups["memory"])
    assert not any(name.startswith(("encoder.", "head.memory.")) for name in groups["head"])
    settings = [
        (group["initial_lr"], group["weight_decay"]) for group in made.optimizers[0].param_groups
    ]
    assert settings == [(1e-3, 0.1), (3e-3, 0.3), (2e-3, 0.2)]
    still = {"head.memory.memory", "head.classifier.bias", "encoder.model.embeddings"}
    assert not any(name.startswith(tuple(still)) for name in listed)


def test_a_memory_learns_as_the_head_unless_told(files):
    made = trainer(max_steps=1)
    made.fit(make(READER), datamodule=data_of(files))
    rates = {group["name"]: group["initial_lr"] for group in made.optimizers[0].param_groups}
    assert rates == {"encoder": 3e-5, "memory": 1e-4, "head": 1e-4}
    made = trainer(max_steps=1)
    made.fit(make(), datamodule=data_of(files))
    assert [group["name"] for group in made.optimizers[0].param_groups] == ["encoder", "head"]


def test_scores_are_those_of_the_predictions(files):
    log, data, model = Log(), data_of(files), make(READER, loss=S_PU)
    rates = LearningRates(GroupSettings(3e-3), GroupSettings(3e-3))
    model.rates = rates
    trainer(max_epochs=6).fit(model, datamodule=data)
    (found,) = trainer(log=log).validate(model, datamodule=data, verbose=False)
    loader = data.val_dataloader()
    batches = trainer().predict(model, dataloaders=loader)
    triples = [triple.prediction for batch in batches for triple in batch]
    assert triples
    gold = Gold.compile(data.documents("dev"), data.facts())
    expected = score(triples, gold)
    assert found["val/f1"] == pytest.approx(expected.f1)
    assert found["val/precision"] == pytest.approx(expected.overall.precision)
    assert found["val/recall"] == pytest.approx(expected.overall.recall)
    (ign,) = expected.ign.values()
    assert found["val/ign_f1"] == pytest.approx(ign.f1)


def test_a_split_that_is_labelled_in_part_is_scored_without_a_loss(files):
    """Ranks wait for one another in a loss: either all of them come to it or none."""
    log, model = Log(), make()
    mixed = [*data_of(files).documents("dev"), document(90, entities=3, labelled=False)]
    write_documents(files / "mixed.jsonl", mixed)
    trainer(log=log).fit(model, datamodule=data_of(files, dev="mixed.jsonl"))
    assert len(log.steps("val/f1")) == 1
    assert log.steps("val/loss") == []


def test_triples_are_those_above_the_threshold(files):
    data, model = data_of(files), built(READER)
    documents = data.documents("dev")
    batch = batch_of(documents)
    with torch.no_grad():
        logits = model(batch).logits
        found = model.predict_step(batch, 0)
    expected = {}
    pair = 0
    for made in documents:
        for h, t in made.pairs():
            row = logits[pair]
            for r, name in enumerate(RELATIONS):
                if row[r + 1] > row[0]:
                    margin = float(row[r + 1] - row[0])
                    expected[made.id, h, t, name] = (float(row[r + 1]), margin)
            pair += 1
    assert expected
    assert {t[:4] for t in found} == set(expected)
    for triple in found:
        assert (triple.score, triple.margin) == pytest.approx(expected[triple[:4]])
        assert triple.evidence == tuple(sorted(set(triple.evidence)))


def test_priors_are_counted_from_the_training_data(files):
    data, model = data_of(files), make(loss=S_PU)
    trainer(max_steps=1).fit(model, datamodule=data)
    labels = [r.relation for d in data.documents("train") for r in d.relations]
    pairs = sum(d.num_pairs for d in data.documents("train"))
    expected = [labels.count(name) / pairs for name in RELATIONS]
    np.testing.assert_allclose(model.loss.priors, expected, rtol=1e-6)


@pytest.mark.parametrize("train", ["few.jsonl", "none.jsonl"])
@pytest.mark.parametrize("loss", [AdaptiveThresholdLoss, AdaptiveFocalLoss, BalancedSoftmaxLoss])
def test_documents_without_pairs_train(files, train, loss):
    model = make(READER, loss=loss)
    trainer(max_epochs=1).fit(model, datamodule=data_of(files, train, dev="few.jsonl"))
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize(
    "loss", [AdaptiveThresholdLoss, AdaptiveFocalLoss, BalancedSoftmaxLoss, S_PU]
)
@pytest.mark.parametrize("memory", [None, READER, partial(READER, axis="document")])
@pytest.mark.parametrize("shared", [False, True])
def test_every_parameter_gets_a_gradient(loss, memory, shared):
    """Plain DDP stops otherwise."""
    model = make(head=head_of(memory, shared_extractor=shared), loss=loss)
    model.build(tuple(RELATIONS), "nothing", torch.tensor([0.1, 0.02, 0.0]))
    for documents in ([document(1, 4), document(2, 3)], [document(3, 0), document(4, 1)]):
        model.zero_grad()
        batch = batch_of(documents)
        model._loss(model(batch), batch).total().backward()
        without = [name for name, p in model.named_parameters() if p.grad is None]
        assert without == []


# --- what a document's scores depend on -----------------------------------------------------------

MODELS = {
    "atlop": {},
    "ttm": {"memory": READER},
    "ttm-document": {"memory": partial(READER, axis="document")},
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return built(**MODELS[request.param])


def logits_of(model, batch):
    with torch.no_grad():
        return model(batch).logits


DOCUMENTS = [document(seed) for seed in (3, 5, 8, 9, 11)] + [document(60, entities=1)]


def test_a_document_does_not_see_its_batch_or_padding(model):
    together = logits_of(model, batch_of(DOCUMENTS))
    alone = [logits_of(model, batch_of([made])) for made in DOCUMENTS]
    assert len({made.num_words for made in DOCUMENTS}) > 3
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-10, rtol=1e-10)
    backwards = logits_of(model, batch_of(DOCUMENTS[::-1])).split(
        [made.num_pairs for made in DOCUMENTS[::-1]]
    )
    torch.testing.assert_close(together, torch.cat(backwards[::-1]), atol=1e-10, rtol=1e-10)


def test_a_pair_does_not_see_the_order_of_pairs(model):
    batch = batch_of(DOCUMENTS)
    generator = torch.Generator().manual_seed(4)
    order = torch.cat(
        [
            start + torch.randperm(int(end - start), generator=generator)
            for start, end in zip(batch.pair_offset[:-1], batch.pair_offset[1:], strict=True)
        ]
    )
    mixed = replace(batch, pair_head=batch.pair_head[order], pair_tail=batch.pair_tail[order])
    found, expected = logits_of(model, mixed), logits_of(model, batch)[order]
    assert not torch.equal(order, torch.arange(len(order)))
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_scores_do_not_depend_on_labels(model):
    hidden = [replace(made, relations=None) for made in DOCUMENTS]
    found, expected = (logits_of(model, batch_of(d)) for d in (hidden, DOCUMENTS))
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


# --- checkpoints ----------------------------------------------------------------------------------


def train_into(folder, files, *callbacks, **options):
    """Train for an epoch with dropout and return model and checkpoint."""
    model = make(READER, loss=S_PU, **options)
    made = trainer(*callbacks, folder=folder)
    made.fit(model, datamodule=data_of(files))
    return model, folder / "last.ckpt"


def same_logits(one, two):
    batch = batch_of(DOCUMENTS)
    torch.testing.assert_close(
        logits_of(one.eval(), batch), logits_of(two.eval(), batch), atol=0, rtol=0
    )


def test_a_checkpoint_loads_without_data(files, tmp_path, monkeypatch):
    model, path = train_into(tmp_path, files, init_from=None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = DocREModel.load_from_checkpoint(
        path, encoder=ENCODER, head=head_of(READER), loss=S_PU, map_location="cpu"
    )
    same_logits(model, again)
    assert again.relations == tuple(RELATIONS)
    assert again.types == ("PER", "LOC", "ORG")
    torch.testing.assert_close(again.loss.priors, model.loss.priors)


def test_a_checkpoint_holds_nothing_to_unpickle(files, tmp_path):
    _, path = train_into(tmp_path, files, evidence_share=0.3)
    known = torch.load(path, weights_only=True)
    assert known["hyper_parameters"]["evidence_share"] == 0.3
    assert known["docre"]["relations"] == list(RELATIONS)
    assert known["docre"]["encoder_config"]["hidden_size"] == 16
    assert json.dumps(known["docre"])


def test_a_path_as_an_argument_is_no_object_to_unpickle(files, tmp_path):
    _, first = train_into(tmp_path / "first", files)
    _, second = train_into(tmp_path / "second", files, init_from=first)
    torch.load(second, weights_only=True)
    again = DocREModel.load_from_checkpoint(
        second, encoder=ENCODER, head=head_of(READER), loss=S_PU
    )
    assert again.parent.path == str(first)


def test_a_pretrained_encoder_is_not_fetched_again(files, tmp_path, monkeypatch):
    """The architecture is in the checkpoint: neither hub nor folder are asked for it."""
    from transformers import AutoModel, BertConfig, BertModel

    hub = tmp_path / "hub"
    config = BertConfig(**{key: value for key, value in BERT.items() if key != "model_type"})
    BertModel(config, add_pooling_layer=False).save_pretrained(hub)
    model, path = train_into(tmp_path / "run", files, encoder=partial(Encoder, weights=str(hub)))
    hub.rename(tmp_path / "gone")

    def refuse(*args, **kwargs):
        raise AssertionError("weights were asked for")

    monkeypatch.setattr(AutoModel, "from_pretrained", refuse)
    again = DocREModel.load_from_checkpoint(
        path, encoder=partial(Encoder, weights=str(hub)), head=head_of(READER), loss=S_PU
    )
    same_logits(model, again)


class StopAfterOneEpoch(lightning.Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = True


def test_resuming_goes_on_where_it_stopped(files, tmp_path):
    whole, first, second = Log(), Log(), Log()
    fit = {"datamodule": data_of(files)}
    trainer(log=whole, max_epochs=3).fit(make(READER), **fit)
    made = trainer(StopAfterOneEpoch(), log=first, folder=tmp_path, max_epochs=3)
    made.fit(make(READER), **fit)
    made = trainer(log=second, max_epochs=3)
    made.fit(make(READER, seed=1), **fit, ckpt_path=tmp_path / "last.ckpt")
    assert made.global_step == 15
    for name in ("lr/head", "lr/encoder"):
        assert first.steps(name) + second.steps(name) == whole.steps(name)
        assert [step for step, _ in second.steps(name)] == list(range(5, 15))


def test_a_pretrained_encoder_trains_with_dropout(files, tmp_path):
    """Weights come from transformers in evaluation mode."""
    from transformers import BertConfig, BertModel

    config = BertConfig(**{key: value for key, value in BERT.items() if key != "model_type"})
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    model = make(encoder=partial(Encoder, weights=str(tmp_path)))
    modes = []

    class Modes(lightning.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            modes.append({m.training for m in pl_module.modules()})

    trainer(Modes(), max_epochs=2).fit(model, datamodule=data_of(files))
    assert modes == [{True}] * 10


def test_a_trained_model_is_tested_with_any_priors(files, tmp_path):
    """Priors come from the checkpoint; none are counted from test data."""
    model, path = train_into(tmp_path, files)
    again = make(READER, loss=partial(S_PU, prior_multiple=12.0), seed=5)
    data = data_of(files, train=None, dev=None, test_file=str(files / "dev.json"))
    trainer().test(again, datamodule=data, ckpt_path=path, verbose=False)
    torch.testing.assert_close(again.loss.priors, model.loss.priors)
    same_logits(model, again)


# --- what can be wrong ----------------------------------------------------------------------------


def test_unlabelled_documents_do_not_train(files):
    with pytest.raises(DocreError, match="4 of the training documents were never labelled"):
        trainer().fit(make(), datamodule=data_of(files, "unlabelled.jsonl"))


def test_unlabelled_documents_are_not_scored(files):
    data = data_of(files, dev="unlabelled.jsonl", test_file=str(files / "unlabelled.jsonl"))
    for verb in ("test", "validate"):
        with pytest.raises(DocreError, match=r"have no labels to score against.*docre predict"):
            getattr(trainer(), verb)(make(), datamodule=data, verbose=False)
    with pytest.raises(DocreError, match="dev documents have no labels to select on"):
        trainer().fit(make(), datamodule=data)


def test_encoder_and_tokenizer_have_to_fit(files):
    small = partial(Encoder, config=BERT | {"vocab_size": 40})
    with pytest.raises(DocreError, match=r"has \d+ tokens, the encoder knows 40"):
        trainer().fit(make(encoder=small), datamodule=data_of(files))


def test_other_relations_are_refused(files, tmp_path):
    _, path = train_into(tmp_path, files)
    names = tmp_path / "names.json"
    names.write_text(json.dumps([*RELATIONS, "more"]))
    other = data_of(files, relations_file=str(names))
    with pytest.raises(DocreError, match="knows 3 relations, the data 4"):
        trainer().validate(make(READER, loss=S_PU), datamodule=other, ckpt_path=path)
    names.write_text(json.dumps(list(RELATIONS)[::-1]))
    other = data_of(files, relations_file=str(names))
    with pytest.raises(DocreError, match="another order"):
        trainer().validate(make(READER, loss=S_PU), datamodule=other, ckpt_path=path)


def test_a_foreign_checkpoint_is_refused(files, tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.6.0"}, path)
    with pytest.raises(DocreError, match="not a checkpoint of docre"):
        DocREModel.load_from_checkpoint(path)


def test_data_of_ones_own_needs_build(files):
    loader = data_of(files)
    loader.prepare_data()
    loader.setup("fit")
    with pytest.raises(DocreError, match=r"call model\.build\(relations, tokenizer\)"):
        trainer().fit(make(), train_dataloaders=loader.train_dataloader())
    model = make()
    model.build(tuple(RELATIONS), "nothing")
    trainer(max_steps=1).fit(model, train_dataloaders=loader.train_dataloader())


def test_what_does_not_fit_is_named(files):
    wide = partial(PairHead, width=16, classifier=partial(GroupedBilinear, block_size=5))
    with pytest.raises(DocreError, match=r"model\.head: block_size 5 does not divide"):
        trainer().fit(make(head=wide), datamodule=data_of(files))
    many = partial(S_PU, prior_multiple=1000.0)
    with pytest.raises(DocreError, match=r"model\.loss: prior_multiple: relation 0"):
        trainer().fit(make(loss=many), datamodule=data_of(files))


class SlotHead(Head):
    """A head whose memory is a parameter."""

    def __init__(self, in_features, num_relations):
        super().__init__(in_features, num_relations)
        self.memory = nn.Parameter(torch.zeros(in_features))
        self.score = nn.Linear(in_features, 1 + num_relations)

    def forward(self, encoded, batch):
        return HeadOutput(self.score(encoded.token_states[batch.pair_doc, 0] + self.memory))


def test_a_head_of_ones_own(files):
    made = trainer(max_steps=1)
    made.fit(make(head=SlotHead), datamodule=data_of(files))
    sizes = {group["name"]: len(group["params"]) for group in made.optimizers[0].param_groups}
    assert sizes["head"] == 3
