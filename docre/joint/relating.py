"""The last stage of inference: how entities are related.

Few of all relations of all pairs hold, so what does not is forgotten part by part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from docre.joint.chunks import chunks
from docre.joint.finding import FoundMentions, probabilities
from docre.joint.grouping import Grouping
from docre.joint.mention_pairs import all_mention_pairs
from docre.joint.moving import each_tensor
from docre.joint.relation_base import RelationInput

ReadPairs = Callable[[RelationInput], RelationInput]


class RelatedEntities(NamedTuple):
    """What holds in a document, by head, then tail, then relation; in host memory.

    Args:
        head: Entity of the document.  # [K]
        tail: # [K]
        relation: # [K]
        probability: In at least float32.  # [K]
    """

    head: Tensor
    tail: Tensor
    relation: Tensor
    probability: Tensor


def relate(
    relation: Callable[[RelationInput], Tensor],
    token_states: Tensor,
    mentions: FoundMentions,
    entities: Grouping,
    entity_states: Tensor,
    types: Tensor,
    threshold: float,
    budget: int,
    read_pairs: ReadPairs | None = None,
    with_mention_pairs: bool = True,
) -> list[RelatedEntities]:
    """Return the relations that hold between the entities of each document.

    Args:
        relation: Scores pairs.
        token_states: # [B, T, D]
        mentions: Of all documents.
        entities: Made of them.
        entity_states: # [E, D]
        types: In host memory.  # [E]
        threshold: The least probability of a relation.
        budget: How many pairs of mentions are looked at together; those of a pair are never apart.
        read_pairs: Lets all pairs of the batch read from memories.
        with_mention_pairs: Whether ``relation`` is told the pairs of mentions.
    """
    device = token_states.device
    of_document = [_ordered_pairs(count) for count in entities.counts]
    counts = [len(pairs) for pairs in of_document]
    starts = accumulate(entities.counts, initial=0)
    shifted = [pairs + start for pairs, start in zip(of_document, starts, strict=False)]
    ends = torch.cat([_ordered_pairs(0), *shifted]).T  # [2, P]
    pair_doc = torch.repeat_interleave(torch.tensor(counts, dtype=torch.long))  # [P]
    head, tail, document = torch.stack((*ends, pair_doc)).to(device)
    given = RelationInput(
        token_states,
        mentions.states,
        entity_states,
        types.to(device),
        head,
        tail,
        pair_doc=document,
    )
    if read_pairs is not None:
        given = read_pairs(given)
    accepted, sure = [], []
    for part in chunks(entities.sizes[ends].prod(0), budget):
        asked = _part(given, part, pair_doc[part])
        if with_mention_pairs:
            asked = _with_mention_pairs(asked, ends[:, part], pair_doc[part], entities, mentions)
        probability = probabilities(relation(asked), "relation")  # [K, R]
        holds = probability >= threshold
        accepted.append(holds.nonzero() + torch.tensor([part.start, 0]))
        sure.append(probability[holds])
    pair, kind = torch.cat(accepted).unbind(1)
    columns = *torch.cat([_ordered_pairs(0), *of_document])[pair].unbind(1), kind, torch.cat(sure)
    sizes = torch.bincount(pair_doc[pair], minlength=len(counts)).tolist()
    each = zip(*(torch.split(column, sizes) for column in columns), strict=True)
    return [RelatedEntities(*row) for row in each]


def _part(given: RelationInput, part: slice, pair_doc: Tensor) -> RelationInput:
    """Return some of the pairs, and the documents they are in.

    Args:
        given: All pairs, without mention pairs.
        part: Which of them.
        pair_doc: Their documents, in host memory.  # [K]
    """
    first, last = _documents(pair_doc)
    return replace(
        given,
        token_states=given.token_states[first : last + 1],
        pair_head=given.pair_head[part],
        pair_tail=given.pair_tail[part],
        pair_doc=None if given.pair_doc is None else given.pair_doc[part],
        ends=None if given.ends is None else (given.ends[0][part], given.ends[1][part]),
    )


def _with_mention_pairs(
    given: RelationInput,
    ends: Tensor,
    pair_doc: Tensor,
    entities: Grouping,
    mentions: FoundMentions,
) -> RelationInput:
    """Return pairs with their mention pairs.

    Args:
        given: The pairs, and the documents they are in.
        ends: Their heads and tails, in host memory.  # [2, K]
        pair_doc: Their documents, in host memory.  # [K]
        entities: Of all documents.
        mentions: Of all documents.
    """
    head, tail = ends
    pairs = all_mention_pairs(head, tail, entities.member, entities.offset, mentions.spans)
    document = pairs.gaps.document - _documents(pair_doc)[0]
    pairs = replace(pairs, gaps=replace(pairs.gaps, document=document))
    device = given.token_states.device
    return replace(given, mention_pairs=each_tensor(pairs, lambda tensor: tensor.to(device)))


def _documents(pair_doc: Tensor) -> tuple[int, int]:
    """Return the first and the last document of pairs."""
    return (int(pair_doc[0]), int(pair_doc[-1])) if len(pair_doc) else (0, 0)


def _ordered_pairs(count: int) -> Tensor:
    """Return all pairs of different entities, row-major, [P, 2]."""
    return (1 - torch.eye(count)).nonzero()
