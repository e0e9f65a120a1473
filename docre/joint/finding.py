"""The first stages of inference: which candidates are mentions, and which mentions are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from docre.joint.batch import join_spans
from docre.joint.chunks import chunks
from docre.joint.samples import JointTruth
from docre.joint.span_pooling import span_max
from docre.joint.spans import Spans
from docre.losses.base import at_least_float32

EditDistances = Callable[[int, Spans], Tensor]
"""Says how far apart the texts of mentions are: [M, M] in host memory, from the document's row in
the batch and its mentions. Only what is above the diagonal is read: the first mention of a pair is
the earlier candidate."""

ReadSpans = Callable[[Tensor, Tensor, int], Tensor]
"""Changes the states of spans, [N, D], from the document of each, [N], and how many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundMentions:
    """Mentions of all documents, those of the first one first.

    Args:
        spans: In host memory.
        states: Where the states of tokens are.  # [M, D]
        probability: In host memory.  # [M]
        counts: Mentions of each document.
    """

    spans: Spans
    states: Tensor
    probability: Tensor
    counts: list[int]

    def of_documents(self) -> list[Spans]:
        """Return the mentions of each document."""
        return [
            self.spans.of(row) for row in torch.split(torch.arange(len(self.spans)), self.counts)
        ]


def find_mentions(
    mention: Callable[[Tensor, Tensor], Tensor],
    token_states: Tensor,
    candidates: Spans,
    threshold: float,
    budget: int,
    read_spans: ReadSpans | None = None,
) -> FoundMentions:
    """Return the candidates that are mentions, in their order.

    Args:
        mention: Scores spans from their states and sizes.
        token_states: # [B, T, D]
        candidates: Of all documents, in host memory.
        threshold: The least probability of a mention.
        budget: How many candidates are looked at together; all of a document, if they are read.
        read_spans: Changes the states of the candidates of a document.
    """
    documents = len(token_states)
    candidates = candidates.of(candidates.document.sort(stable=True).indices)
    sizes = torch.ones(len(candidates), dtype=torch.long)
    if read_spans is not None:
        sizes = torch.bincount(candidates.document, minlength=documents)
    ends = torch.cat((torch.zeros(1, dtype=torch.long), sizes.cumsum(0)))
    found, states, sure = [], [], []
    for part in chunks(sizes, budget):
        spans = candidates.of(torch.arange(int(ends[part.start]), int(ends[part.stop])))
        given = span_states(token_states, spans, read_spans)
        probability = probabilities(mention(given, spans.sizes.to(given.device)), "mention")
        chosen = (probability >= threshold).nonzero().squeeze(1)
        found.append(spans.of(chosen))
        states.append(given.index_select(0, chosen.to(given.device)))
        sure.append(probability[chosen])
    mentions = Spans.cat(found)
    counts = torch.bincount(mentions.document, minlength=documents).tolist()
    return FoundMentions(mentions, torch.cat(states), torch.cat(sure), counts)


def given_mentions(
    truth: Sequence[JointTruth],
    token_states: Tensor,
    distinct: bool,
    read_spans: ReadSpans | None = None,
) -> FoundMentions:
    """Return the annotated mentions.

    Args:
        truth: The annotations of each document.
        token_states: # [B, T, D]
        distinct: Each span once, in the order of candidates, as if it was found; else all mentions
            in the order of the annotations.
        read_spans: Changes the states of the mentions of a document.
    """
    each = [one.mentions() for one in truth]
    if distinct:
        each = [_as_candidates(spans) for spans in each]
    mentions = join_spans(each)
    states = span_states(token_states, mentions, read_spans)
    certain = torch.ones(len(mentions), dtype=at_least_float32(states[:0]).dtype)
    return FoundMentions(mentions, states, certain, [len(spans) for spans in each])


def similarities(
    coreference: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
    mentions: FoundMentions,
    distances: EditDistances,
    budget: int,
) -> list[Tensor]:
    """Return how sure it is that mentions are one entity, [M, M] a document, zero below.

    Args:
        coreference: Scores pairs from the states of mentions, both mentions and their distance.
        mentions: Of all documents.
        distances: Asked once for each document with at least two mentions.
        budget: How many pairs are scored together.
    """
    device, of_document = mentions.states.device, mentions.of_documents()
    pairs = [torch.triu_indices(count, count, 1) for count in mentions.counts]
    starts = accumulate(mentions.counts, initial=0)
    shifted = [pair + start for pair, start in zip(pairs, starts, strict=False)]
    edits = [
        _edit_distances(distances, row, spans)[tuple(pair)]
        for row, (spans, pair) in enumerate(zip(of_document, pairs, strict=True))
        if len(spans) > 1
    ]
    edit = torch.cat([torch.zeros(0, dtype=torch.long), *(one.long() for one in edits)])  # [C]
    asked = torch.stack((*torch.cat([torch.triu_indices(0, 0), *shifted], 1), edit))  # [3, C]
    logits = [
        coreference(mentions.states, *asked[:, part].to(device).unbind())
        for part in chunks(torch.ones(asked.shape[1], dtype=torch.long), budget)
    ]
    scores = probabilities(torch.cat(logits), "coreference")
    found = []
    each_scores = torch.split(scores, [pair.shape[1] for pair in pairs])
    for spans, pair, of_pairs in zip(of_document, pairs, each_scores, strict=True):
        matrix = scores.new_zeros(len(spans), len(spans))
        matrix[tuple(pair)] = of_pairs
        found.append(matrix)
    return found


def span_states(token_states: Tensor, spans: Spans, read_spans: ReadSpans | None) -> Tensor:
    """Return the states of spans that stand document by document in host memory, [N, D]."""
    device = token_states.device
    first, last = (int(spans.document[0]), int(spans.document[-1])) if len(spans) else (0, 0)
    longest = int((spans.end - spans.start).max()) if len(spans) else 0
    # only documents that have a span: the maxima are made of all tokens
    token_states = token_states[first : last + 1]
    document, start, end = torch.stack((spans.document - first, spans.start, spans.end)).to(device)
    states = span_max(token_states, document, start, end, longest)  # [N, D]
    return states if read_spans is None else read_spans(states, document, len(token_states))


def probabilities(logits: Tensor, head: str) -> Tensor:
    """Return what logits mean, in host memory."""
    return numbers(at_least_float32(logits).sigmoid(), head)


def numbers(probability: Tensor, head: str) -> Tensor:
    """Bring probabilities to host memory; no comparison would be true of one that is no number."""
    probability = probability.cpu()
    if probability.isnan().any():
        raise ValueError(f"the {head} head gives what is not a number")
    return probability


def _edit_distances(distances: EditDistances, row: int, mentions: Spans) -> Tensor:
    """Ask for the distances of a document, and refuse those of other mentions."""
    found, count = distances(row, mentions), len(mentions)
    if found.shape != (count, count):
        shape = f"{list(found.shape)} for {count} mentions"
        raise ValueError(f"edit distances of document {row} are {shape}")
    return found


def _as_candidates(spans: Spans) -> Spans:
    """Return each span of a document once, in the order of candidates."""
    places = torch.stack((spans.sentence, spans.sizes, spans.word_start), 1)  # [M, 3]
    _, first = np.unique(places.numpy(), axis=0, return_index=True)
    return spans.of(torch.from_numpy(first))
