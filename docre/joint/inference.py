"""From encoded tokens to mentions, entities and relations, each head fed by those before it.

Indices are made in host memory, scores where the states are: the host waits once a head, or once
for each part of work that is too much at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from docre.joint.clustering import clusters
from docre.joint.extracted import Extracted
from docre.joint.finding import (
    EditDistances,
    FoundMentions,
    ReadSpans,
    find_mentions,
    given_mentions,
    numbers,
    similarities,
)
from docre.joint.grouping import Grouping
from docre.joint.relating import ReadPairs, RelatedEntities, relate
from docre.joint.relation_base import RelationInput
from docre.joint.samples import JointTruth, tensor_of
from docre.joint.spans import Spans
from docre.joint.thresholds import JointThresholds
from docre.losses.base import at_least_float32

# rows of 768 float32 of which three or four exist at a time: below 300 MB
MENTION_PAIR_BUDGET = 24_000
SPAN_BUDGET = 24_000


@dataclass(frozen=True, slots=True, eq=False)
class JointHeads:
    """The heads of a joint model, in evaluation mode; each may be any callable of that form.

    Args:
        mention: Like :class:`~docre.joint.MentionHead`; if there is none, mentions are given.
        coreference: Like :class:`~docre.joint.CoreferenceHead`.
        entity_states: Like :class:`~docre.joint.EntityStates`.
        entity_type: Like :class:`~docre.joint.EntityTypeHead`.
        relation: Like :class:`~docre.joint.RelationHead`, without a threshold.
        read_spans: Changes the states of all candidates of a document, if these read a memory.
        read_pairs: Like :meth:`docre.joint.RelationHead.read`.
        reads_mention_pairs: Whether the head of relations is to be told the pairs of mentions.

    Raises:
        ValueError: If heads are missing between others, or all of them.
    """

    mention: Callable[[Tensor, Tensor], Tensor] | None
    coreference: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None
    entity_states: Callable[[Tensor, Tensor, Tensor, int], Tensor]
    entity_type: Callable[[Tensor], Tensor] | None
    relation: Callable[[RelationInput], Tensor] | None
    read_spans: ReadSpans | None = None
    read_pairs: ReadPairs | None = None
    reads_mention_pairs: bool = True

    def __post_init__(self) -> None:
        _ = self.tasks  # refuses a row with a gap

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the heads that are there, in their order."""
        return heads_in_a_row(
            mention=self.mention,
            coreference=self.coreference,
            entity=self.entity_type,
            relation=self.relation,
        )


def heads_in_a_row(**heads: object | None) -> tuple[str, ...]:
    """Return the names of heads that are there.

    Args:
        heads: All heads by name, in the order in which one feeds the next; ``None`` is a missing
            one.

    Raises:
        ValueError: If one is missing between others, or all are.
    """
    names = list(heads)
    there = [name for name, head in heads.items() if head is not None]
    if not there:
        raise ValueError(f"there is no head: give at least one of {', '.join(names)}")
    row = names[names.index(there[0]) : names.index(there[-1]) + 1]
    lacking = [name for name in row if name not in there]
    if lacking:
        raise ValueError(
            f"{' and '.join(there)} without {' and '.join(lacking)}: heads may be left out before "
            "the first and after the last one, not between"
        )
    return tuple(there)


@torch.no_grad()
def extract(
    heads: JointHeads,
    token_states: Tensor,
    candidates: Spans | None,
    edit_distances: EditDistances,
    thresholds: JointThresholds,
    truth: Sequence[JointTruth] = (),
    mention_pair_budget: int = MENTION_PAIR_BUDGET,
    span_budget: int = SPAN_BUDGET,
) -> list[Extracted]:
    """Find mentions among candidates, cluster them to entities, and relate those to each other.

    Every head sees only what the one before it let through. Each accepted mention is in exactly
    one entity, alone if need be, and all ordered pairs of entities of a document are judged. A
    document is found to hold the same in any batch, and whatever the budgets are, up to the
    rounding of its states.

    What heads before the first one would have found is taken from the annotations, and is certain.
    After the last one there is nothing: mentions that nobody clusters are entities of their own,
    entities that nobody classifies have no type.

    Reference: JEREX (Eberts and Ulges, 2021), section 3.

    Args:
        heads: The heads, on the device of the states.
        token_states: # [B, T, D]
        candidates: Those of all documents, in host memory; those of one document in the order of
            :func:`~docre.joint.candidate_spans`. Not needed without a head of mentions.
        edit_distances: Asked once for each document with at least two mentions.
        thresholds: How sure the heads have to be.
        truth: Annotations of each document, where the first head is not that of mentions.
        mention_pair_budget: Pairs of mentions that are scored together; those of one pair of
            entities are never apart.
        span_budget: Candidates that are scored together; those of a document are never apart if
            they read a memory.

    Returns:
        One for each row of ``token_states``, also where nothing was found.

    Raises:
        ValueError: If a head gives what is not a number, the edit distances of a document have
            another shape than [M, M], or what should be looked at is not there.
    """
    mentions = mentions_of(heads, token_states, candidates, thresholds.mention, truth, span_budget)
    if heads.coreference is not None:
        alike = similarities(heads.coreference, mentions, edit_distances, mention_pair_budget)
        entities = Grouping.of_clusters([clusters(each, thresholds.coreference) for each in alike])
    elif heads.mention is not None:
        entities = Grouping.alone(mentions.counts)
    else:
        entities = Grouping.of_truth(truth)

    device, count = token_states.device, len(entities.sizes)
    types, of_type = torch.full((count,), -1), torch.zeros(count)
    if heads.entity_type is not None or heads.relation is not None:
        member, entity = entities.member.to(device), entities.entity.to(device)
        entity_states = heads.entity_states(mentions.states, member, entity, count)
    if heads.entity_type is not None:
        logits = at_least_float32(heads.entity_type(entity_states))
        best = logits.argmax(1, keepdim=True)
        of_type = numbers(logits.softmax(1).gather(1, best).squeeze(1), "entity type")
        types = best.squeeze(1).cpu()
    elif heads.mention is None and heads.coreference is None:
        types = torch.cat([tensor_of(one.entity_type) for one in truth])
        of_type = (types >= 0).float()

    nothing = torch.zeros(0, dtype=torch.long)
    related = [RelatedEntities(nothing, nothing, nothing, nothing.float())] * len(token_states)
    if heads.relation is not None:
        related = relate(
            heads.relation,
            token_states,
            mentions,
            entities,
            entity_states,
            types,
            thresholds.relation,
            mention_pair_budget,
            heads.read_pairs,
            heads.reads_mention_pairs,
        )
    of_mention = entities.of_mentions() - entities.starts[mentions.spans.document]
    columns = zip(
        mentions.of_documents(),
        torch.split(mentions.probability, mentions.counts),
        torch.split(of_mention, mentions.counts),
        torch.split(types, entities.counts),
        torch.split(of_type, entities.counts),
        related,
        strict=True,
    )
    return [replace(Extracted(*row, *holding), tasks=heads.tasks) for *row, holding in columns]


@torch.no_grad()
def mentions_of(
    heads: JointHeads,
    token_states: Tensor,
    candidates: Spans | None,
    threshold: float,
    truth: Sequence[JointTruth] = (),
    span_budget: int = SPAN_BUDGET,
) -> FoundMentions:
    """Return the mentions that later heads see.

    Args:
        heads: As :func:`extract` takes them, like all that follows.
        token_states: # [B, T, D]
        candidates: Those of all documents.
        threshold: Of the head of mentions.
        truth: Annotations of each document.
        span_budget: Candidates that are scored together.
    """
    if heads.mention is None:
        if len(truth) != len(token_states):
            what = f"annotations of {len(truth)} documents for {len(token_states)}"
            raise ValueError(f"without a head of mentions they are given, and there are {what}")
        # what is to be clustered should look as if it was found
        distinct = heads.coreference is not None
        return given_mentions(truth, token_states, distinct, heads.read_spans)
    if candidates is None:
        raise ValueError("there are no candidates for the head of mentions to choose from")
    return find_mentions(
        heads.mention, token_states, candidates, threshold, span_budget, heads.read_spans
    )
