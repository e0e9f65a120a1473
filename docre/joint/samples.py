"""The annotations of a document as numbers, and a training sample made from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from docre.joint.spans import Spans

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class JointTruth:
    """The annotations of one document; words and tokens are counted in the document.

    Args:
        document_id: What draws depend on, beside seed and epoch.
        sentence_words: Number of words of each sentence.  # [S]
        token_offset: Where the tokens of each word begin, and the end.  # [W + 1]
        mention_start: First word of each mention, those of the first entity first.  # [M]
        mention_end: One past the last word.  # [M]
        mention_entity: Ascending.  # [M]
        entity_type: # [E]
        label_head: Head entity of each label.  # [L]
        label_tail: # [L]
        label_relation: Counted from 0.  # [L]
        edit_distance: Of the texts of all mentions.  # [M, M]
    """

    document_id: str
    sentence_words: IntArray
    token_offset: IntArray
    mention_start: IntArray
    mention_end: IntArray
    mention_entity: IntArray
    entity_type: IntArray
    label_head: IntArray
    label_tail: IntArray
    label_relation: IntArray
    edit_distance: IntArray

    def __post_init__(self) -> None:
        words = int(self.sentence_words.sum())
        mentions, entities = len(self.mention_start), len(self.entity_type)
        starts, ends = self.mention_start, self.mention_end
        for wrong, what in (
            (
                len(self.token_offset) != words + 1,
                f"token_offset has {len(self.token_offset)} rows for {words} words, plus one",
            ),
            (
                ((starts < 0) | (starts >= ends) | (ends > words)).any(),
                f"a mention is empty or outside of the {words} words",
            ),
            (
                # each entity has a mention, and they come in order
                np.unique(self.mention_entity).tolist() != list(range(entities))
                or (np.diff(self.mention_entity) < 0).any(),
                "mention_entity must go through all entities in their order",
            ),
            (
                self.edit_distance.shape != (mentions, mentions),
                f"edit_distance is {list(self.edit_distance.shape)} for {mentions} mentions",
            ),
            (
                any(
                    ((end < 0) | (end >= entities)).any()
                    for end in (self.label_head, self.label_tail)
                ),
                f"a label is about none of the {entities} entities",
            ),
        ):
            if wrong:
                raise ValueError(f"document {self.document_id!r}: {what}")

    def spans(self, start: IntArray, end: IntArray, document: int = 0) -> Spans:
        """Return spans of the document.

        Args:
            start: First word of each.  # [N]
            end: One past the last word.  # [N]
            document: Row of the document in its batch.
        """
        sentence = np.searchsorted(self.sentence_words.cumsum(), start, side="right")
        return Spans(
            torch.full((len(start),), document, dtype=torch.long),
            tensor_of(sentence),
            tensor_of(start),
            tensor_of(end),
            tensor_of(self.token_offset[start]),
            tensor_of(self.token_offset[end]),
        )

    def mentions(self, document: int = 0) -> Spans:
        """Return all mentions, in their order; see :meth:`spans`."""
        return self.spans(self.mention_start, self.mention_end, document)


@dataclass(frozen=True, slots=True, eq=False)
class JointSample:
    """What one document asks the four heads, and the answers; all but targets are int64.

    Args:
        spans: All mentions, as often as they are annotated, then spans inside some mention, then
            others. Each group of what is not true is in the order of candidates.
        mention_target: 1 for mentions.  # [N]
        member: Mentions of the first entity, then of the second. Mentions with the same span are
            one here and in pairs: the first.  # [M]
        entity_offset: Where the mentions of an entity begin in ``member``, and the end.  # [E + 1]
        entity_type: # [E]
        first: First mention of each pair scored for coreference, true pairs first.  # [C]
        second: The other one.  # [C]
        edit_distance: Of their texts.  # [C]
        coreference_target: 1 for mentions of one entity.  # [C]
        pair_head: Head entity of each pair: those with a label by their first one, then others.
        pair_tail: # [P]
        label_pair: Pair that carries a label, each label once.  # [L]
        label_relation: Its relation.  # [L]
        longest: A number of tokens that no span exceeds, if it is known.
    """

    spans: Spans
    mention_target: Tensor
    member: Tensor
    entity_offset: Tensor
    entity_type: Tensor
    first: Tensor
    second: Tensor
    edit_distance: Tensor
    coreference_target: Tensor
    pair_head: Tensor
    pair_tail: Tensor
    label_pair: Tensor
    label_relation: Tensor
    longest: int | None = None

    @property
    def member_entity(self) -> Tensor:
        """Return the entity of each row of ``member``, [M]."""
        # told how many there are, a device need not count them
        return torch.repeat_interleave(self.entity_offset.diff(), output_size=len(self.member))

    @property
    def pair_doc(self) -> Tensor:
        """Return the document of each pair, [P]."""
        first = self.member[self.entity_offset[self.pair_head]]
        return self.spans.document[first]

    def relation_target(self, num_relations: int) -> Tensor:
        """Return 1 for relations that hold, [P, R]."""
        dense = torch.zeros(len(self.pair_head), num_relations, device=self.pair_head.device)
        dense[self.label_pair, self.label_relation] = 1
        return dense


def tensor_of(array: IntArray) -> Tensor:
    """Return a copy: who changes it must not change where it comes from."""
    return torch.from_numpy(np.array(array, dtype=np.int64, order="C"))
