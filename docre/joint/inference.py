"""From encoded tokens to mentions, entities and relations, each head fed by those before it.

Indices are made in host memory, scores where the states are: the host waits once a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from docre.joint.clustering import clusters
from docre.joint.extracted import Extracted
from docre.joint.mention_pairs import Gaps, MentionPairs, all_mention_pairs
from docre.joint.relation_heads import RelationInput
from docre.joint.span_pooling import span_max
from docre.joint.spans import Spans
from docre.joint.thresholds import JointThresholds
from docre.losses.base import at_least_float32

EditDistances = Callable[[int, Spans], Tensor]
"""Says how far apart the texts of mentions are: [M, M] in host memory, from the document's row in
the batch and its mentions. Only what is above the diagonal is read: the first mention of a pair is
the earlier candidate."""


@dataclass(frozen=True, slots=True, eq=False)
class JointHeads:
    """The heads of a joint model, in evaluation mode; each may be any callable of that form.

    Args:
        mention: Like :class:`~docre.joint.MentionHead`.
        coreference: Like :class:`~docre.joint.CoreferenceHead`.
        entity_states: Like :class:`~docre.joint.EntityStates`.
        entity_type: Like :class:`~docre.joint.EntityTypeHead`.
        relation: Like :class:`~docre.joint.RelationHead`.
    """

    mention: Callable[[Tensor, Tensor], Tensor]
    coreference: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    entity_states: Callable[[Tensor, Tensor, Tensor, int], Tensor]
    entity_type: Callable[[Tensor], Tensor]
    relation: Callable[[RelationInput], Tensor]


@torch.no_grad()
def extract(
    heads: JointHeads,
    token_states: Tensor,
    spans: Spans,
    edit_distances: EditDistances,
    thresholds: JointThresholds,
    span_states: Tensor | None = None,
) -> list[Extracted]:
    """Find mentions among candidates, cluster them to entities, and relate those to each other.

    Every head sees only what the one before it let through. Each accepted mention is in exactly
    one entity, alone if need be, and all ordered pairs of entities of a document are judged. A
    document is found to hold the same in any batch, up to the rounding of its states.

    Reference: JEREX (Eberts and Ulges, 2021), section 3.

    Args:
        heads: The heads, on the device of the states.
        token_states: # [B, T, D]
        spans: Candidates of all documents, in host memory; those of one document in the order of
            :func:`~docre.joint.candidate_spans`.
        edit_distances: Asked once for each document with at least two mentions.
        thresholds: How sure the heads have to be.
        span_states: States of the candidates, where they are not the maximum of their tokens.
            # [N, D]

    Returns:
        One for each row of ``token_states``, also where nothing was found.

    Raises:
        ValueError: If a head gives what is not a number, or the edit distances of a document have
            another shape than [M, M].
    """
    device = token_states.device
    if span_states is None:
        longest = int((spans.end - spans.start).max()) if len(spans) else 0
        document, start, end = torch.stack((spans.document, spans.start, spans.end)).to(device)
        span_states = span_max(token_states, document, start, end, longest)
    probability = _probabilities(heads.mention(span_states, spans.sizes.to(device)), "mention")
    chosen = (probability >= thresholds.mention).nonzero().squeeze(1)
    chosen = chosen[spans.document[chosen].sort(stable=True).indices]
    mentions, states = spans.of(chosen), span_states.index_select(0, chosen.to(device))
    counts = torch.bincount(mentions.document, minlength=len(token_states)).tolist()
    of_document = [mentions.of(row) for row in torch.split(torch.arange(len(chosen)), counts)]

    similarities = _similarities(heads, states, of_document, edit_distances)
    entities = _Entities.of([clusters(each, thresholds.coreference) for each in similarities])
    member, entity, sizes = entities.member, entities.entity, entities.sizes
    entity_states = heads.entity_states(states, member.to(device), entity.to(device), len(sizes))
    type_logits = at_least_float32(heads.entity_type(entity_states))
    types = type_logits.argmax(1)
    of_type = type_logits.softmax(1).gather(1, types.unsqueeze(1)).squeeze(1)  # [E]

    pairs = [_ordered_pairs(count) for count in entities.counts]
    starts = torch.tensor([0, *accumulate(entities.counts)])
    shifted = [pair + start for pair, start in zip(pairs, starts[:-1], strict=True)]
    head, tail = torch.cat([_ordered_pairs(0), *shifted]).unbind(1)
    offset = torch.tensor([0, *accumulate(sizes.tolist())])
    given = RelationInput(
        token_states,
        states,
        entity_states,
        types,
        head.to(device),
        tail.to(device),
        _moved(all_mention_pairs(head, tail, member, offset, mentions), device),
    )
    relations = _probabilities(heads.relation(given), "relation")  # [P, R]

    mention_entity = torch.empty_like(member)
    mention_entity[member] = entity
    columns = zip(
        of_document,
        torch.split(probability[chosen], counts),
        torch.split(mention_entity - starts[mentions.document], counts),
        torch.split(types.cpu(), entities.counts),
        torch.split(_numbers(of_type, "entity type"), entities.counts),
        pairs,
        torch.split(relations, [len(pair) for pair in pairs]),
        strict=True,
    )
    return [
        Extracted(*row, *_accepted(pair, sure, thresholds.relation)) for *row, pair, sure in columns
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Entities:
    """The entities of all documents, flat.

    Args:
        member: Mentions of the first entity, then those of the second, and so on.  # [M]
        entity: The entity of each.  # [M]
        sizes: Mentions of each entity.  # [E]
        counts: Entities of each document.
    """

    member: Tensor
    entity: Tensor
    sizes: Tensor
    counts: list[int]

    @classmethod
    def of(cls, documents: Sequence[list[list[int]]]) -> _Entities:
        """Take the clusters of each document, whose mentions are counted in the document."""
        member: list[int] = []
        for found in documents:
            start = len(member)
            member += [start + mention for cluster in found for mention in cluster]
        sizes = torch.tensor([len(each) for found in documents for each in found]).long()
        entity = torch.repeat_interleave(sizes)
        return cls(torch.tensor(member).long(), entity, sizes, [len(each) for each in documents])


def _similarities(
    heads: JointHeads, states: Tensor, of_document: Sequence[Spans], distances: EditDistances
) -> list[Tensor]:
    """Return how sure it is that mentions are one entity, [M, M] a document, zero below."""
    pairs = [torch.triu_indices(len(each), len(each), 1) for each in of_document]
    starts = accumulate((len(each) for each in of_document), initial=0)
    shifted = [pair + start for pair, start in zip(pairs, starts, strict=False)]
    first, second = torch.cat([torch.triu_indices(0, 0), *shifted], 1).to(states.device)  # [C]
    edits = [
        _edit_distances(distances, row, mentions)[tuple(pair)]
        for row, (mentions, pair) in enumerate(zip(of_document, pairs, strict=True))
        if len(mentions) > 1
    ]
    edit = torch.cat([torch.empty(0, dtype=torch.long), *edits]).to(states.device)  # [C]
    scores = _probabilities(heads.coreference(states, first, second, edit), "coreference")
    found = []
    each_scores = torch.split(scores, [pair.shape[1] for pair in pairs])
    for mentions, pair, of_pairs in zip(of_document, pairs, each_scores, strict=True):
        matrix = scores.new_zeros(len(mentions), len(mentions))
        matrix[tuple(pair)] = of_pairs
        found.append(matrix)
    return found


def _edit_distances(distances: EditDistances, row: int, mentions: Spans) -> Tensor:
    """Ask for the distances of a document, and refuse those of other mentions."""
    found, count = distances(row, mentions), len(mentions)
    if found.shape != (count, count):
        shape = f"{list(found.shape)} for {count} mentions"
        raise ValueError(f"edit distances of document {row} are {shape}")
    return found


def _probabilities(logits: Tensor, head: str) -> Tensor:
    return _numbers(at_least_float32(logits).sigmoid(), head)


def _numbers(probabilities: Tensor, head: str) -> Tensor:
    """Bring probabilities to host memory; no comparison would be true of one that is no number."""
    probabilities = probabilities.cpu()
    if probabilities.isnan().any():
        raise ValueError(f"the {head} head gives what is not a number")
    return probabilities


def _ordered_pairs(count: int) -> Tensor:
    """Return all pairs of different entities, row-major, [P, 2]."""
    return (1 - torch.eye(count)).nonzero()


def _moved(pairs: MentionPairs, device: torch.device) -> MentionPairs:
    """Bring mention pairs to the device of the states."""

    def tensors(of: MentionPairs | Gaps) -> dict[str, Any]:
        columns = ((field.name, getattr(of, field.name)) for field in fields(of))
        return {name: value.to(device) for name, value in columns if isinstance(value, Tensor)}

    return replace(pairs, gaps=replace(pairs.gaps, **tensors(pairs.gaps)), **tensors(pairs))


def _accepted(pairs: Tensor, sure: Tensor, threshold: float) -> tuple[Tensor, ...]:
    """Return head, tail, relation and probability of what holds, by pair and relation."""
    pair, relation = (sure >= threshold).nonzero().unbind(1)
    return *pairs[pair].unbind(1), relation, sure[pair, relation]
