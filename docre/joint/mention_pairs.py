"""Pairs of mentions, one of each entity of a pair, and what lies between them.

What lies between two mentions is the same in both directions, so it is kept once for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from docre.joint.spans import Spans


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """What lies between two mentions, whichever comes first.

    Args:
        document: Row of the token states the mentions are in.  # [G]
        start: First token between them.  # [G]
        end: One past the last; ``[0, 0)`` where mentions touch or overlap.  # [G]
        token_distance: Words from one to the other: 1 if they touch, 0 if they overlap.  # [G]
        sentence_distance: # [G]
        longest: A number of tokens that no gap exceeds, if it is known.
    """

    document: Tensor
    start: Tensor
    end: Tensor
    token_distance: Tensor
    sentence_distance: Tensor
    longest: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MentionPairs:
    """The mention pairs of entity pairs, those of one entity pair together.

    Args:
        head: Mention of the head entity.  # [Q]
        tail: Mention of the tail entity.  # [Q]
        pair: Entity pair it belongs to, ascending.  # [Q]
        gap: What lies between them, a row of ``gaps``.  # [Q]
        gaps: The distinct ones.
    """

    head: Tensor
    tail: Tensor
    pair: Tensor
    gap: Tensor
    gaps: Gaps


def gaps_between(one: Spans, other: Spans) -> Gaps:
    """Return what lies between spans, row by row.

    Args:
        one: Spans.
        other: As many, each in the same document as its partner.
    """
    start = torch.minimum(one.end, other.end)
    end = torch.maximum(one.start, other.start)
    empty = end <= start
    first_end = torch.minimum(one.word_end, other.word_end)
    second_start = torch.maximum(one.word_start, other.word_start)
    return Gaps(
        one.document,
        start.masked_fill(empty, 0),
        end.masked_fill(empty, 0),
        (second_start - first_end + 1).clamp(min=0),
        (one.sentence - other.sentence).abs(),
    )


def all_mention_pairs(
    pair_head: Tensor,
    pair_tail: Tensor,
    member: Tensor,
    entity_offset: Tensor,
    mentions: Spans,
) -> MentionPairs:
    """Return every mention of the head with every mention of the tail, for each entity pair.

    Made where the data is, in host memory: numbers of rows depend on values.

    Args:
        pair_head: Head entity of each pair.  # [P]
        pair_tail: Its tail entity.  # [P]
        member: Mentions of the first entity, then those of the second, and so on.  # [K]
        entity_offset: Where the mentions of an entity begin in ``member``, and the end.  # [E + 1]
        mentions: All mentions.
    """
    sizes = entity_offset.diff()
    heads, tails = sizes[pair_head], sizes[pair_tail]
    counts = heads * tails  # [P]
    pair = torch.repeat_interleave(counts)  # [Q]
    within = torch.arange(len(pair), device=pair.device) - (counts.cumsum(0) - counts)[pair]
    of_head = within.div(tails[pair], rounding_mode="floor")
    head = member[entity_offset[pair_head[pair]] + of_head]
    tail = member[entity_offset[pair_tail[pair]] + within % tails[pair]]
    low, high = torch.minimum(head, tail), torch.maximum(head, tail)
    distinct, gap = torch.unique(low * len(mentions) + high, return_inverse=True)  # [G], [Q]
    low = distinct.div(max(len(mentions), 1), rounding_mode="floor")
    gaps = gaps_between(mentions.of(low), mentions.of(distinct - low * len(mentions)))
    longest = int((gaps.end - gaps.start).max()) if len(distinct) else 0
    gaps = Gaps(
        gaps.document,
        gaps.start,
        gaps.end,
        gaps.token_distance,
        gaps.sentence_distance,
        longest,
    )
    return MentionPairs(head, tail, pair, gap, gaps)
