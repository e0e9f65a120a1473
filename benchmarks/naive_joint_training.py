"""What ``benchmarks/joint.py`` measures of the naive version; its sample and its loss."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from joint_document import RELATIONS, RandomDocument, Span
from naive_joint import (
    Found,
    Heads,
    Instances,
    all_spans,
    coreference_logits,
    entity_logits,
    extract,
    levenshtein,
    masked_max,
    mention_logits,
    padded_max,
    phrase,
    relation_logits,
    span_masks,
)
from torch import Tensor
from torch.nn import functional

NEGATIVES = 200


class Naive:
    """The three things that are measured.

    Args:
        heads: With a multi-instance head.
        document: What they are shown.
        chunk: Masks that are applied at a time.
    """

    def __init__(self, heads: Heads, document: RandomDocument, chunk: int) -> None:
        self.heads, self.document, self.chunk = heads, document, chunk
        self.draw = random.Random(0)

    def pooling(self, gradient: Tensor) -> Tensor:
        """Pool all candidates, and return the gradient of the token states."""
        states = self.document.states.detach().requires_grad_()
        masks = span_masks(self.document, all_spans(self.document))
        masked_max(states, masks, self.chunk).backward(gradient)
        return states.grad

    def step(self) -> None:
        """Draw a sample, and bring the gradient of its loss back to weights and token states."""
        self.heads.train().zero_grad()
        states = self.document.states.detach().requires_grad_()
        sample = draw_sample(self.document, self.draw)
        sample_loss(self.heads, self.document, states, sample, self.chunk).backward()

    def inference(self) -> Found:
        """Find mentions, entities and relations."""
        return extract(self.heads.eval(), self.document, self.chunk)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the heads are asked and the answers; mentions come first among the spans."""

    spans: list[Span]
    mention_target: list[float]
    entities: list[list[int]]
    coreference: list[tuple[int, int]]
    edits: list[int]
    coreference_target: list[float]
    pairs: list[tuple[int, int]]
    relation_target: list[list[float]]


def draw_sample(document: RandomDocument, draw: random.Random) -> Sample:
    """Draw a sample: everything that could be in it is made first."""
    mentions, of_entity = document.mentions, document.mention_entity
    inside, outside = [], []
    for start, end in all_spans(document):
        if (start, end) in mentions:
            continue
        within = any(start >= first and end <= last for first, last in mentions)
        (inside if within else outside).append((start, end))
    inside = draw.sample(inside, min(len(inside), NEGATIVES // 2))
    outside = draw.sample(outside, min(len(outside), NEGATIVES - len(inside)))
    spans = mentions + inside + outside

    together, apart = [], []
    for one in mentions:
        for other in mentions:
            first, second = mentions.index(one), mentions.index(other)
            if first != second:
                edit = levenshtein(phrase(document, one), phrase(document, other))
                same = of_entity[first] == of_entity[second]
                (together if same else apart).append((first, second, edit))
    apart = draw.sample(apart, min(len(apart), NEGATIVES))

    entities = [
        [mentions.index(m) for m, of in zip(mentions, of_entity, strict=True) if of == entity]
        for entity in range(len(document.entity_type))
    ]
    true, other_pairs = [], []
    for head in range(len(entities)):
        for tail in range(len(entities)):
            if head != tail:
                known = [r for h, t, r in document.labels if (h, t) == (head, tail)]
                (true if known else other_pairs).append((head, tail, known))
    pairs = true + draw.sample(other_pairs, min(len(other_pairs), NEGATIVES))
    return Sample(
        spans,
        [1.0] * len(mentions) + [0.0] * (len(spans) - len(mentions)),
        entities,
        [(one, other) for one, other, _ in together + apart],
        [edit for *_, edit in together + apart],
        [1.0] * len(together) + [0.0] * len(apart),
        [(head, tail) for head, tail, _ in pairs],
        [[float(r in known) for r in range(RELATIONS)] for *_, known in pairs],
    )


def sample_loss(
    heads: Heads, document: RandomDocument, states: Tensor, sample: Sample, chunk: int
) -> Tensor:
    """Return the loss of a sample."""
    pooled = masked_max(states, span_masks(document, sample.spans), chunk)
    mentions = pooled[: len(document.mentions)]
    entities = heads.entity_dropout(padded_max(mentions, sample.entities))
    types = torch.tensor(document.entity_type)
    sentence, offset = document.sentence, document.token_offset
    places = [(offset[a], offset[b], a, b, sentence[a]) for a, b in document.mentions]
    instances = Instances.of(sample.pairs, sample.entities, places, document.tokens)
    parts = (
        functional.binary_cross_entropy_with_logits(
            mention_logits(heads.mention, pooled, sample.spans),
            torch.tensor(sample.mention_target),
        ),
        functional.binary_cross_entropy_with_logits(
            coreference_logits(heads.coreference, mentions, sample.coreference, sample.edits),
            torch.tensor(sample.coreference_target),
        ),
        functional.cross_entropy(entity_logits(heads.entity, entities), types) / 4,
        functional.binary_cross_entropy_with_logits(
            relation_logits(
                *(heads.relation, states, mentions, entities, types),
                *(sample.pairs, instances, chunk),
            ),
            torch.tensor(sample.relation_target),
            reduction="none",
        )
        .sum(1)
        .mean(),
    )
    for part in parts:
        part.item()  # as for a log
    return torch.stack(parts).sum()
