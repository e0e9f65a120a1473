"""The last stage of inference: how entities are related."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor

from docre.joint.chunks import chunks
from docre.joint.finding import FoundMentions, probabilities
from docre.joint.grouping import Grouping
from docre.joint.mention_pairs import MentionPairs, all_mention_pairs
from docre.joint.moving import each_tensor
from docre.joint.relation_base import RelationInput
from docre.joint.spans import Spans

ReadPairs = Callable[[RelationInput], RelationInput]


def relate(
    relation: Callable[[RelationInput], Tensor],
    token_states: Tensor,
    mentions: FoundMentions,
    entities: Grouping,
    entity_states: Tensor,
    types: Tensor,
    budget: int,
    read_pairs: ReadPairs | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Return all ordered pairs of the entities of each document, and how sure each relation is.

    Args:
        relation: Scores pairs.
        token_states: # [B, T, D]
        mentions: Of all documents.
        entities: Made of them.
        entity_states: # [E, D]
        types: In host memory.  # [E]
        budget: How many pairs of mentions are looked at together; those of a pair are never apart.
        read_pairs: Lets all pairs of the batch read from memories.

    Returns:
        Head and tail, counted in the document, and probabilities of each document, in host memory.
        # [P, 2] each, [P, R] each
    """
    device = token_states.device
    of_document = [_ordered_pairs(count) for count in entities.counts]
    counts = [len(pairs) for pairs in of_document]
    starts = accumulate(entities.counts, initial=0)
    shifted = [pairs + start for pairs, start in zip(of_document, starts, strict=False)]
    ends = torch.cat([_ordered_pairs(0), *shifted]).T  # [2, P]
    pair_doc = torch.repeat_interleave(torch.tensor(counts, dtype=torch.long))  # [P]
    head, tail, document = torch.stack((*ends, pair_doc)).to(device)
    none = _mention_pairs(ends[:, :0], entities, mentions.spans)
    given = RelationInput(
        token_states,
        mentions.states,
        entity_states,
        types.to(device),
        head,
        tail,
        each_tensor(none, lambda tensor: tensor.to(device)),
        document,
    )
    if read_pairs is not None:
        given = read_pairs(given)
    found = []
    for part in chunks(entities.sizes[ends].prod(0), budget):
        asked = _part(given, part, ends[:, part], pair_doc[part], entities, mentions.spans)
        found.append(relation(asked))
    return of_document, list(torch.split(probabilities(torch.cat(found), "relation"), counts))


def _part(
    given: RelationInput,
    part: slice,
    ends: Tensor,
    pair_doc: Tensor,
    entities: Grouping,
    mentions: Spans,
) -> RelationInput:
    """Return some of the pairs, with their mention pairs and the documents they are in.

    Args:
        given: All pairs, without mention pairs.
        part: Which of them.
        ends: Their heads and tails, in host memory.  # [2, K]
        pair_doc: Their documents, in host memory.  # [K]
        entities: Of all documents.
        mentions: Of all documents.
    """
    first, last = (int(pair_doc[0]), int(pair_doc[-1])) if len(pair_doc) else (0, 0)
    pairs = _mention_pairs(ends, entities, mentions)
    pairs = replace(pairs, gaps=replace(pairs.gaps, document=pairs.gaps.document - first))
    device = given.token_states.device
    return replace(
        given,
        token_states=given.token_states[first : last + 1],
        pair_head=given.pair_head[part],
        pair_tail=given.pair_tail[part],
        mention_pairs=each_tensor(pairs, lambda tensor: tensor.to(device)),
        pair_doc=None if given.pair_doc is None else given.pair_doc[part],
        ends=None if given.ends is None else (given.ends[0][part], given.ends[1][part]),
    )


def _mention_pairs(ends: Tensor, entities: Grouping, mentions: Spans) -> MentionPairs:
    head, tail = ends
    return all_mention_pairs(head, tail, entities.member, entities.offset, mentions)


def _ordered_pairs(count: int) -> Tensor:
    """Return all pairs of different entities, row-major, [P, 2]."""
    return (1 - torch.eye(count)).nonzero()
