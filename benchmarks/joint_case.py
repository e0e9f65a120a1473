"""What both systems of ``benchmarks/joint.py`` work on, and that they agree about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from joint_document import (
    RELATIONS,
    THRESHOLDS,
    TYPES,
    RandomDocument,
    accept,
    find_marked,
    random_document,
)
from naive_joint import Heads
from naive_joint_training import Naive, Sample, sample_loss
from our_joint import Ours
from torch import Tensor, nn

from docre.joint import JointSample, MultiInstanceRelationHead, clusters
from docre.joint.network import JointNetwork


@dataclass(frozen=True, slots=True)
class Case:
    """What both systems work on; each process reads it from a file.

    Args:
        document: What is looked at.
        network: Weights.
        chunk: Masks that the naive version applies at a time.
    """

    document: RandomDocument
    network: JointNetwork
    chunk: int

    def system(self, name: str) -> Naive | Ours:
        """Return one of the systems."""
        if name == "ours":
            return Ours(self.network, self.document)
        return Naive(heads_of(self.network), self.document, self.chunk)

    def gradient(self) -> Tensor:
        """Return what comes back to the maxima of candidates, [N, D]."""
        rows, width = len(Ours(self.network, self.document).candidates()), self.document.width
        return torch.randn(rows, width, generator=torch.Generator().manual_seed(0))

    def work(self, name: str) -> dict[str, Callable[[], object]]:
        """Return what is measured of a system, by name."""
        system = self.system(name)
        pooling = partial(system.pooling, self.gradient())
        return {"pooling": pooling, "step": system.step, "inference": system.inference}


def make_case(quick: bool, chunk: int) -> Case:
    """Draw document and weights, and move biases so that about what is marked is found."""
    torch.manual_seed(0)
    width, sizes = (32, [2, 1, 1, 1, 1, 1]) if quick else (768, [4, 2, 2, 2] + [1] * 16)
    document = random_document(3 if quick else 10, sizes, 3 if quick else 12, width)
    network = JointNetwork(width, TYPES, RELATIONS, relation=MultiInstanceRelationHead)
    heads = heads_of(network)
    find_marked(heads.mention.hidden, heads.mention.output)
    naive = Naive(heads, document, chunk)

    found = naive.inference()
    count = len(found.mentions)
    both = ~torch.eye(count, dtype=torch.bool)
    logits = torch.zeros(count, count).masked_scatter(both, found.coreference_logits)
    upper = logits[tuple(torch.triu_indices(count, count, 1))]
    ranked = upper.sort(descending=True).values
    entities = len(document.entity_type)
    close = next(n for n in range(1, len(ranked)) if len(clusters(logits, ranked[n])) <= entities)
    accept(heads.coreference.output, upper, close, THRESHOLDS.coreference)
    accept(heads.relation.output, naive.inference().relation_logits, 12, THRESHOLDS.relation)
    return Case(document, network, chunk)


def heads_of(network: JointNetwork) -> Heads:
    """Return the heads of a network for the naive version."""
    return Heads(
        network.mention,
        network.coreference,
        network.entity_states.dropout,
        network.entity,
        network.relation,
    )


def check(case: Case) -> str:
    """Refuse to go on unless both systems find the same and learn the same; say what."""
    naive, ours = case.system("naive"), case.system("ours")
    theirs, mine = naive.inference(), ours.inference()
    spans = mine.mentions
    assert list(zip(spans.word_start.tolist(), spans.word_end.tolist(), strict=True)) == (
        theirs.mentions
    )
    for entity, members in enumerate(theirs.entities):
        assert (mine.mention_entity == entity).nonzero().flatten().tolist() == members
    assert mine.entity_type.tolist() == theirs.types
    *labels, sure = zip(*theirs.relations, strict=True)
    assert torch.equal(torch.stack((mine.head, mine.tail, mine.relation)), torch.tensor(labels))
    for probability, expected in (
        (mine.mention_probability, theirs.mention_probability),
        (mine.relation_probability, sure),
    ):
        torch.testing.assert_close(probability, torch.tensor(expected), rtol=0, atol=2e-6)

    gradient = case.gradient()
    assert_near(naive.pooling(gradient), ours.pooling(gradient), "pooling")

    case.network.train()
    dropouts = [part for part in case.network.modules() if isinstance(part, nn.Dropout)]
    rates = [part.p for part in dropouts]
    for part in dropouts:
        part.p = 0
    sample = ours.draw()
    states = [case.document.states.detach().requires_grad_() for _ in range(2)]
    losses = (
        sample_loss(naive.heads, case.document, states[0], listed(sample), case.chunk),
        ours.sample_loss(states[1], sample),
    )
    torch.testing.assert_close(*losses)
    parameters = list(case.network.parameters())
    both = [
        torch.autograd.grad(loss, [state, *parameters])
        for loss, state in zip(losses, states, strict=True)
    ]
    names = ["token states", *(name for name, _ in case.network.named_parameters())]
    for name, *gradients in zip(names, *both, strict=True):
        assert_near(*gradients, name)
    for part, rate in zip(dropouts, rates, strict=True):
        part.p = rate
    return (
        f"{case.document.tokens} tokens, {len(ours.candidates()):,} candidates; found: "
        f"{len(theirs.mentions)} mentions, {len(theirs.entities)} entities, "
        f"{len(theirs.relations)} relations; sampled: {len(sample.spans)} spans, "
        f"{len(sample.first)} mention pairs, {len(sample.pair_head)} entity pairs"
    )


def assert_near(one: Tensor, other: Tensor, what: str) -> None:
    """Refuse gradients that differ by more than rounding."""
    distance, size = (one - other).norm().item(), one.norm().item()
    assert distance <= 1e-5 * size, f"{what}: gradients of size {size} differ by {distance}"


def listed(sample: JointSample) -> Sample:
    """Return a sample in the form of the naive version."""
    spans, ends = sample.spans, sample.entity_offset.tolist()

    def rows(*columns: Tensor) -> list[tuple[int, ...]]:
        return list(zip(*(column.tolist() for column in columns), strict=True))

    return Sample(
        rows(spans.word_start, spans.word_end),
        sample.mention_target.tolist(),
        [sample.member[a:b].tolist() for a, b in pairwise(ends)],
        rows(sample.first, sample.second),
        sample.edit_distance.tolist(),
        sample.coreference_target.tolist(),
        rows(sample.pair_head, sample.pair_tail),
        sample.relation_target(RELATIONS).tolist(),
    )
