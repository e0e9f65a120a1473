"""The testers find what is wrong with heads, contexts and classifiers, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from docre.context import Context
from docre.heads import Classifier, Head
from docre.outputs import AttentionMaps, HeadOutput, PairContext
from docre.pooling import mention_states, segment_mean
from docre.refinement import Refinement
from docre.testing import ClassifierTester, ContextTester, HeadTester, RefinementTester
from tests.testing.broken import THOROUGHLY, assert_fails_just, failures, suite_of


class SumHead(Head):
    """Nothing is wrong with it; the others are like it but for one thing."""

    def __init__(self, in_features, num_relations):
        super().__init__(in_features, num_relations)
        self.score = nn.Linear(2 * in_features, 1 + num_relations)

    def entities(self, encoded, batch):
        mentions = mention_states(encoded.token_states, batch)
        return segment_mean(mentions, batch.mention_entity, batch.num_entities)

    def logits(self, encoded, batch):
        entities = self.entities(encoded, batch)
        return self.score(torch.cat([entities[batch.pair_head], entities[batch.pair_tail]], 1))

    def forward(self, encoded, batch):
        return HeadOutput(self.logits(encoded, batch))


class LeaksDocuments(SumHead):
    def logits(self, encoded, batch):
        return super().logits(encoded, batch) - super().entities(encoded, batch).mean(0).sum()


class SeesPadding(SumHead):
    def logits(self, encoded, batch):
        middle = encoded.token_states.mean(1).sum(1)  # of all tokens, those that are not there too
        return super().logits(encoded, batch) + middle[batch.pair_doc].unsqueeze(1)


class SeesPairs(SumHead):
    def logits(self, encoded, batch):
        logits = super().logits(encoded, batch)
        count = torch.bincount(batch.pair_doc, minlength=len(batch)).to(logits.dtype)
        return logits + count[batch.pair_doc].unsqueeze(1)


class PeeksAtLabels(SumHead):
    def logits(self, encoded, batch):
        logits = super().logits(encoded, batch)
        return logits + batch.labels(self.num_relations, logits.dtype)


class CountsEntities(SumHead):
    def logits(self, encoded, batch):
        place = batch.pair_head - batch.entity_offset[batch.pair_doc]
        return super().logits(encoded, batch) * (1 + place.unsqueeze(1))


class ForgetsTheThreshold(SumHead):
    def logits(self, encoded, batch):
        return super().logits(encoded, batch)[:, 1:]


class ReturnsEarly(SumHead):
    def logits(self, encoded, batch):
        if not batch.num_pairs:
            return encoded.token_states.new_zeros(0, 1 + self.num_relations)
        return super().logits(encoded, batch)


class HasSpareParts(SumHead):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.spare = nn.Linear(3, 3)


class NeverMoves(SumHead):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.shift = nn.Parameter(torch.zeros(()))

    def logits(self, encoded, batch):
        return super().logits(encoded, batch) + 0 * self.shift


class CutsTheGraph(SumHead):
    def entities(self, encoded, batch):
        return super().entities(encoded, batch).detach()


class WritesStates(SumHead):
    def entities(self, encoded, batch):
        encoded.token_states.data.mul_(0.5)
        return super().entities(encoded, batch)


class KeepsALambda(SumHead):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.change = lambda values: values


class HidesWeights(SumHead):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.factors = torch.randn(1 + self.num_relations, dtype=torch.float64)

    def logits(self, encoded, batch):
        logits = super().logits(encoded, batch)
        return logits * (2 + self.factors.to(logits))


class MakesFloat32(SumHead):
    def logits(self, encoded, batch):
        return super().logits(encoded, batch).float()


class DropsInEvaluation(SumHead):
    def logits(self, encoded, batch):
        return nn.functional.dropout(super().logits(encoded, batch), 0.5)


class Overflows(SumHead):
    def logits(self, encoded, batch):
        return super().logits(encoded, batch).exp()


class MixesDataTypes(SumHead):
    def logits(self, encoded, batch):
        logits = super().logits(encoded, batch)
        other = self.score.weight.new_zeros(logits.shape)
        other[torch.arange(len(logits))] = logits
        return other


class WrongContext(SumHead):
    def forward(self, encoded, batch):
        states = encoded.token_states[:, 0]  # one a document
        return HeadOutput(self.logits(encoded, batch), PairContext(states))


class NotAHead(nn.Module):
    def __init__(self, in_features, num_relations):
        super().__init__()
        self.inner = SumHead(in_features, num_relations)

    def forward(self, encoded, batch):
        return self.inner(encoded, batch)


BROKEN = [
    (LeaksDocuments, {"other_documents_do_not_matter"}, r"batch\.pair_doc"),
    (SeesPadding, {"other_documents_do_not_matter", "padding_does_not_matter"}, "token_mask"),
    (SeesPairs, {"other_pairs_do_not_matter"}, "sees_other_pairs = True"),
    (PeeksAtLabels, {"labels_are_not_seen"}, "leave batch.label_pair"),
    (CountsEntities, {"order_of_entities_does_not_matter"}, "order_of_entities_matters = True"),
    (ForgetsTheThreshold, {"a_row_for_each_pair"}, r"\(20, 6\) is one row"),
    (ReturnsEarly, {"nothing_to_do"}, "without a graph"),
    (HasSpareParts, {"every_parameter_learns", "nothing_to_do"}, r"spare\.weight.* part in"),
    (NeverMoves, {"every_parameter_learns"}, "shift gets no gradient but zeros"),
    (CutsTheGraph, {"every_parameter_learns"}, r"no gradient on to encoded\.token_states"),
    (KeepsALambda, {"copies_are_the_same"}, "Keep no lambda"),
    (HidesWeights, {"state_dict_is_all_there_is"}, "register_buffer"),
    (MakesFloat32, {"data_type"}, "gives torch.float32"),
    (MixesDataTypes, {"half_precision"}, r"cast with x\.to"),
    (WrongContext, {"contexts_are_those_of_the_pairs"}, "one context"),
    (NotAHead, {"is_a_head"}, r"subclass of docre\.heads\.Head"),
]


def test_nothing_is_wrong_with_a_good_head():
    assert failures(suite_of(HeadTester, SumHead)) == {}


@pytest.mark.parametrize(
    ("piece", "checks", "message"), BROKEN, ids=lambda v: getattr(v, "__name__", "")
)
@THOROUGHLY
def test_just_what_is_wrong_is_found(piece, checks, message, thoroughly):
    found = failures(suite_of(HeadTester, piece), only=() if thoroughly else checks)
    assert_fails_just(found, checks, message)
    assert all(piece.__name__ in text for text in found.values())


@pytest.mark.parametrize(
    ("piece", "check"),
    [
        (WritesStates, "inputs_are_left_alone"),
        (DropsInEvaluation, "evaluation_is_the_same_each_time"),
        (Overflows, "large_inputs_stay_finite"),
    ],
)
def test_what_disturbs_other_checks_too(piece, check):
    assert check in failures(suite_of(HeadTester, piece), only={check})


def test_what_is_said_to_be_meant_is_not_checked():
    said = {SeesPairs: "sees_other_pairs", CountsEntities: "order_of_entities_matters"}
    for piece, name in said.items():
        assert failures(suite_of(HeadTester, piece, **{name: True})) == {}
    moved = suite_of(HeadTester, NeverMoves, without_gradient=("shift",))
    assert failures(moved) == {}


def test_a_check_can_be_left_out():
    left_out = suite_of(HeadTester, SeesPairs, test_other_pairs_do_not_matter=None)
    assert failures(left_out) == {}


def test_compiling_is_skipped_where_nothing_compiles(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    tester = suite_of(HeadTester, SumHead, compile_backend="inductor")
    with pytest.raises(pytest.skip.Exception, match=r"needs a C\+\+ compiler"):
        tester().test_compiled_is_the_same()


def test_a_tester_without_make_says_what_to_write():
    with pytest.raises(NotImplementedError, match=r"def make\(self, in_features, num_relations\)"):
        HeadTester().test_is_a_head()


class OtherwiseCompiled(SumHead):
    def logits(self, encoded, batch):
        factor = 2 if torch.compiler.is_compiling() else 1
        return factor * super().logits(encoded, batch)


@pytest.mark.slow
def test_what_is_compiled_is_compared():
    found = failures(suite_of(HeadTester, OtherwiseCompiled), leaving_out=())
    assert set(found) == {"compiled_is_the_same"}


# --- contexts, classifiers, refinements -----------------------------------------------------------


class TokenContext(Context):
    """The average of a document's tokens, with attention; nothing is wrong with it."""

    def attention(self, batch, like):
        mask = batch.token_mask.to(like)
        return (mask / mask.sum(1, keepdim=True))[batch.pair_doc]

    def forward(self, encoded, entity_states, entity_attention, batch):
        tokens = encoded.token_states
        maps = self.attention(batch, tokens)  # [P, T]
        states = torch.einsum("pt,ptd->pd", maps, tokens[batch.pair_doc])
        exact = maps.to(torch.promote_types(maps.dtype, torch.float32))
        return PairContext(states, attention=AttentionMaps(exact))


class NotNormalised(TokenContext):
    def attention(self, batch, like):
        return 2 * super().attention(batch, like)


class PaddedContext(TokenContext):
    def attention(self, batch, like):
        return torch.ones_like(batch.token_mask[batch.pair_doc]).to(like) / batch.num_tokens


class WrongWidth(TokenContext):
    def __init__(self, in_features):
        super().__init__(in_features)
        self.out_features = in_features + 1


CONTEXTS = [
    (TokenContext, set()),
    (NotNormalised, {"attention_is_over_the_tokens"}),
    (
        PaddedContext,
        {
            "attention_is_over_the_tokens",
            "other_documents_do_not_matter",
            "padding_does_not_matter",
        },
    ),
    (WrongWidth, {"a_row_for_each_pair"}),
]


@THOROUGHLY
@pytest.mark.parametrize(("piece", "checks"), CONTEXTS)
def test_contexts(piece, checks, thoroughly):
    found = failures(suite_of(ContextTester, piece), only=() if thoroughly else checks)
    assert_fails_just(found, checks, piece.__name__ if checks else "")


class Products(Classifier):
    """Nothing is wrong with it."""

    def __init__(self, width, num_relations, in_features=None):
        super().__init__(width, num_relations, in_features)
        self.score = nn.Linear(width, 1 + num_relations)

    def forward(self, head, tail, scene):
        logits = self.score(head * tail)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))


class Rounded(Products):
    def forward(self, head, tail, scene):
        return self.score(head * tail)


class OnlyHeads(Products):
    def forward(self, head, tail, scene):
        return super().forward(head, head, scene)


CLASSIFIERS = [
    (Products, set()),
    (Rounded, {"logits_are_at_least_float32"}),
    (OnlyHeads, {"every_parameter_learns", "nothing_to_do"}),
]


@THOROUGHLY
@pytest.mark.parametrize(("piece", "checks"), CLASSIFIERS)
def test_classifiers(piece, checks, thoroughly):
    found = failures(suite_of(ClassifierTester, piece), only=() if thoroughly else checks)
    assert_fails_just(found, checks, piece.__name__ if checks else "")


class Shifted(Refinement):
    """Nothing is wrong with it."""

    def __init__(self, width, in_features):
        super().__init__(width, in_features)
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, features, scene, blank=None):
        return features + self.shift


class Centred(Shifted):
    def forward(self, features, scene, blank=None):
        return features + self.shift - features.sum(0)


REFINEMENTS = [
    (Shifted, set()),
    (Centred, {"other_documents_do_not_matter", "other_pairs_do_not_matter"}),
]


@THOROUGHLY
@pytest.mark.parametrize(("piece", "checks"), REFINEMENTS)
def test_refinements(piece, checks, thoroughly):
    found = failures(suite_of(RefinementTester, piece), only=() if thoroughly else checks)
    assert_fails_just(found, checks, piece.__name__ if checks else "")
