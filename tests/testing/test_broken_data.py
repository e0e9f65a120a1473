"""The tester finds what is wrong with data modules, and nothing else."""

from __future__ import annotations

import random

import pytest

from docre.data.modules import DocREDFormat, ReadSettings
from docre.data.relations import RelationSet
from docre.data.vocabulary import learn_word_pieces, save_tokenizer
from docre.data.writing import write_documents
from docre.testing import DataModuleTester
from tests.testing.broken import THOROUGHLY, assert_fails_just, failures
from tests.toy import TYPES, document


class Good(DocREDFormat):
    """Nothing is wrong with it; the others are like it but for one thing."""

    def __init__(self, folder):
        super().__init__(
            train_file=str(folder / "train.jsonl"),
            dev_file=str(folder / "dev.jsonl"),
            types=list(TYPES),
            tokenizer=str(folder / "tokenizer"),
            reading=ReadSettings(cache_dir=str(folder / "cache")),
        )


class EvaluatesShuffled(Good):
    def val_dataloader(self):
        self.batches = self.batches.__class__(**{**settings(self), "seed": random.randrange(10**6)})
        return self._loader("dev", shuffle=True)


class LosesDocuments(Good):
    def val_dataloader(self):
        return list(super().val_dataloader())[:-1]


class OneOrder(Good):
    def train_dataloader(self):
        return self._loader("train")


class IgnoresRanks(Good):
    def train_dataloader(self):
        from docre.data.modules import base

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "distributed_place", lambda: (0, 1))
            return super().train_dataloader()


class ShuffledRelations(Good):
    @property
    def relations(self):
        names = ["born_in", "located_in", "works_for"]
        random.shuffle(names)
        return RelationSet(tuple(names))


class ForgetsRelations(Good):
    def load_state_dict(self, state_dict):
        pass


class KeepsLambda(Good):
    def _loader(self, split, shuffle=False):
        loader = super()._loader(split, shuffle)
        collate = loader.collate_fn
        loader.collate_fn = lambda rows: collate(rows)
        return loader


class CountsInPriors(Good):
    def priors(self):
        return super().priors() * 1000


def settings(module):
    names = ("batch_size", "eval_batch_size")
    return {name: getattr(module.batches, name) for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("broken_data")
    made = [document(seed, entities=seed % 5) for seed in range(24)]
    write_documents(place / "train.jsonl", made[:12])
    write_documents(place / "dev.jsonl", made[12:])
    save_tokenizer(learn_word_pieces(made, 200), place / "tokenizer")
    return place


BROKEN = [
    (Good, set(), ""),
    (EvaluatesShuffled, {"each_document_is_evaluated_once_and_in_order"}, "in another order"),
    (OneOrder, {"training_order_depends_on_seed_and_epoch"}, "each epoch has the same order"),
    (IgnoresRanks, {"ranks_share_the_documents"}, r"on more than one rank\. Take rank"),
    (ForgetsRelations, {"checkpoints_know_the_relations"}, "raise a DocreError"),
    (KeepsLambda, {"loaders_can_have_workers"}, "keep no lambda"),
    (CountsInPriors, {"priors_are_shares_of_pairs"}, "below 1"),
]


@THOROUGHLY
@pytest.mark.parametrize(("module", "checks", "message"), BROKEN)
def test_just_what_is_wrong_is_found(module, checks, message, thoroughly, folder):
    tester = type("Tester", (DataModuleTester,), {"make": lambda _, place: module(place)})
    found = failures(tester, folder, only=() if thoroughly else checks)
    assert_fails_just(found, checks, message)


@pytest.mark.parametrize(
    ("module", "check"),
    [
        (LosesDocuments, "each_document_is_evaluated_once_and_in_order"),
        (ShuffledRelations, "knows_relations_and_types"),
    ],
)
def test_what_disturbs_other_checks_too(module, check, folder):
    random.seed(0)
    tester = type("Tester", (DataModuleTester,), {"make": lambda _, place: module(place)})
    assert check in failures(tester, folder, only={check})
