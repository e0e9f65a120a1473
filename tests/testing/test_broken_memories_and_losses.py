"""The testers find what is wrong with memories and losses, and nothing else."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from docre.losses import Loss, LossPart, LossParts, logits_and_labels
from docre.memory import MemoryReader
from docre.testing import LossTester, MemoryTester
from tests.testing.broken import THOROUGHLY, assert_fails_just, failures, suite_of

# --- memories -------------------------------------------------------------------------------------


class Slots(MemoryReader):
    """Nothing is wrong with it; the others are like it but for one thing."""

    def __init__(self, width):
        super().__init__(width)
        self.slots = nn.Parameter(torch.randn(4, width))

    def read(self, states, pair_doc):
        return states + (states @ self.slots.t()).softmax(1).to(states.dtype) @ self.slots

    def forward(self, head, tail, pair_doc):
        return self.read(head, pair_doc), self.read(tail, pair_doc)


class OverTheBatch(Slots):
    def read(self, states, pair_doc):
        return super().read(states, pair_doc) + states.sum(0)


class OverTheDocument(Slots):
    def read(self, states, pair_doc):
        same = (pair_doc.unsqueeze(0) == pair_doc.unsqueeze(1)).to(states)
        return super().read(states, pair_doc) + same @ states


class InOrder(Slots):
    def read(self, states, pair_doc):
        first = pair_doc != pair_doc.roll(1)
        return super().read(states, pair_doc) * (1 + first.to(states).unsqueeze(1))


class CountsDocuments(Slots):
    def read(self, states, pair_doc):
        return super().read(states, pair_doc) + pair_doc.unsqueeze(1)


class Narrow(Slots):
    def read(self, states, pair_doc):
        return super().read(states, pair_doc)[:, :-1]


class InPlace(Slots):
    def forward(self, head, tail, pair_doc):
        known = super().read(head, pair_doc)
        with torch.no_grad():
            tail.add_(1)
        return known, super().read(tail, pair_doc)


class ForgetsTails(Slots):
    def forward(self, head, tail, pair_doc):
        return super().read(head, pair_doc), super().read(head, pair_doc)


class Exponential(Slots):
    def read(self, states, pair_doc):
        weights = (states @ self.slots.t()).exp()
        return states + weights / weights.sum(1, keepdim=True) @ self.slots


class NotAMemory(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = Slots(width)

    def forward(self, head, tail, pair_doc):
        return self.inner(head, tail, pair_doc)


ALONE = {"other_documents_do_not_matter", "other_pairs_do_not_matter"}
MEMORIES = [
    (Slots, set(), ""),
    (OverTheBatch, ALONE, "Group by pair_doc"),
    (OverTheDocument, {"other_pairs_do_not_matter"}, "sees_other_pairs = True"),
    (InOrder, {"order_of_pairs_does_not_matter", *ALONE}, "order of pairs"),
    (CountsDocuments, {"documents_are_only_told_apart"}, "numbers in pair_doc"),
    (Narrow, {"shapes_stay"}, r"gives \(9, 15\) for 9 pairs of width 16|gives \(0, 15\)"),
    (ForgetsTails, {"every_parameter_learns"}, "no gradient on to tail"),
    (Exponential, {"large_inputs_stay_finite"}, "logsumexp, softmax"),
    (NotAMemory, {"is_a_memory"}, r"subclass of docre\.memory\.MemoryReader"),
]


@THOROUGHLY
@pytest.mark.parametrize(("piece", "checks", "message"), MEMORIES)
def test_memories(piece, checks, message, thoroughly):
    found = failures(suite_of(MemoryTester, piece), only=() if thoroughly else checks)
    assert_fails_just(found, checks, message)
    assert all(piece.__name__ in text for text in found.values())


def test_a_memory_that_writes_where_it_reads():
    assert "inputs_are_left_alone" in failures(suite_of(MemoryTester, InPlace))


def test_a_memory_across_documents_can_say_so():
    said = suite_of(MemoryTester, OverTheBatch, sees_other_documents=True)
    assert failures(said) == {}


# --- losses ---------------------------------------------------------------------------------------


class Logistic(Loss):
    """Nothing is wrong with it; the others are like it but for one thing."""

    def margins(self, output, targets):
        logits, labels = logits_and_labels(output, targets)
        return logits[:, 1:] - logits[:, :1], labels[:, 1:]

    def each(self, margins, labelled):
        signed = torch.where(labelled, margins, -margins)
        return -nn.functional.logsigmoid(signed)

    def forward(self, output, targets):
        return self._per_pair(logistic=self.each(*self.margins(output, targets)).sum(1))


class WritesLabels(Logistic):
    def forward(self, output, targets):
        targets.labels[:, 0] = 0
        return super().forward(output, targets)


class NaiveLog(Logistic):
    def each(self, margins, labelled):
        return -torch.where(labelled, margins, -margins).sigmoid().log()


class InHalf(Logistic):
    def margins(self, output, targets):
        return output.logits[:, 1:] - output.logits[:, :1], targets.labels[:, 1:] != 0


class OneColumnOff(Logistic):
    def margins(self, output, targets):
        margins, _ = super().margins(output, targets)
        return margins, targets.labels[:, :-1] != 0


class ThresholdIsARelation(Logistic):
    def margins(self, output, targets):
        logits, labels = logits_and_labels(output, targets)
        return logits, labels & (torch.arange(labels.shape[1]) > 0)


class MeanOfNothing(Logistic):
    def forward(self, output, targets):
        values = self.each(*self.margins(output, targets)).sum(1)
        return LossParts({"logistic": LossPart(values.mean().unsqueeze(0))})


class AsksTheDevice(Logistic):
    def each(self, margins, labelled):
        count = max(labelled.sum().item(), 1)
        return super().each(margins, labelled) / count


class PicksByMask(Logistic):
    def each(self, margins, labelled):
        lost = super().each(margins, labelled)
        return torch.cat([lost[labelled], lost[~labelled]]).unsqueeze(1)


class GivesANumber(Logistic):
    def forward(self, output, targets):
        return super().forward(output, targets).total()


class Detached(Logistic):
    def each(self, margins, labelled):
        return super().each(margins.detach(), labelled)


class InOrderOfPairs(Logistic):
    def each(self, margins, labelled):
        rows = torch.arange(len(margins), device=margins.device).unsqueeze(1)
        return super().each(margins, labelled) * (1 + rows)


class CountsPadding(Logistic):
    def forward(self, output, targets):
        lost = self.each(*self.margins(output, targets)).sum(1)
        return self._per_pair(logistic=lost / targets.batch.num_tokens)


class MeasuresWithGraph(Logistic):
    def forward(self, output, targets):
        parts = super().forward(output, targets)
        return LossParts(parts.parts, {"margin": LossPart(output.logits.sum(1))})


class NotALoss(nn.Module):
    def __init__(self, priors):
        super().__init__()
        self.inner = Logistic(priors)

    def forward(self, output, targets):
        return self.inner(output, targets)


class ForgetsBase(Logistic):
    def __init__(self, priors):
        nn.Module.__init__(self)
        self._per_pair = lambda **values: LossParts({k: LossPart(v) for k, v in values.items()})


LOSSES = [
    (Logistic, set(), ""),
    (WritesLabels, {"inputs_are_left_alone", "learns_from_labels"}, "writes into"),
    (NaiveLog, {"finite_for_large_logits", "large_inputs_stay_finite"}, "logsigmoid in"),
    (InHalf, {"at_least_float32"}, "computes in less than torch.float32"),
    (OneColumnOff, {"learns_from_labels"}, "column r \\+ 1"),
    (ThresholdIsARelation, {"learns_from_labels"}, "column 0 is|it is no relation"),
    (MeanOfNothing, {"nothing_to_do"}, r"has to be 0|not finite"),
    (AsksTheDevice, {"host_does_not_wait"}, r"Leave out \.item\(\)"),
    (PicksByMask, {"host_does_not_wait"}, "nonzero"),
    (InOrderOfPairs, {"order_of_documents_does_not_matter"}, "order of documents"),
    (CountsPadding, {"padding_does_not_matter"}, "padding changes the loss"),
    (MeasuresWithGraph, {"parts_have_names_and_graphs"}, "'margin' are detached"),
    (NotALoss, {"is_a_loss"}, r"subclass of docre\.losses\.Loss"),
    (ForgetsBase, {"is_a_loss", "copies_are_the_same"}, r"super\(\)\.__init__\(priors\)"),
]


@THOROUGHLY
@pytest.mark.parametrize(("piece", "checks", "message"), LOSSES)
def test_losses(piece, checks, message, thoroughly):
    found = failures(suite_of(LossTester, piece), only=() if thoroughly else checks)
    assert_fails_just(found, checks, message)
    assert all(piece.__name__ in text for text in found.values())


@pytest.mark.parametrize(
    ("piece", "message"), [(GivesANumber, "returns LossParts"), (Detached, "without a graph")]
)
def test_losses_of_which_nothing_can_be_checked(piece, message):
    found = failures(suite_of(LossTester, piece))
    assert re.search(message, found["every_parameter_learns"]), found


def test_a_loss_about_something_else_can_say_so():
    assert failures(suite_of(LossTester, OneColumnOff, judges_labels=False)) == {}
