"""Which mentions make up which entities, in all documents of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from docre.joint.samples import JointTruth


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """The entities of all documents, flat and in host memory.

    Args:
        member: Mentions of the first entity, then those of the second, and so on; each once.  # [M]
        entity: The entity of each.  # [M]
        sizes: Mentions of each entity.  # [E]
        counts: Entities of each document.
    """

    member: Tensor
    entity: Tensor
    sizes: Tensor
    counts: list[int]

    @classmethod
    def of_clusters(cls, documents: Sequence[list[list[int]]]) -> Grouping:
        """Take the clusters of each document, whose mentions are counted in the document."""
        member: list[int] = []
        for found in documents:
            start = len(member)
            member += [start + mention for cluster in found for mention in cluster]
        sizes = torch.tensor([len(each) for found in documents for each in found]).long()
        counts = [len(each) for each in documents]
        return cls(torch.tensor(member).long(), torch.repeat_interleave(sizes), sizes, counts)

    @classmethod
    def of_truth(cls, truth: Sequence[JointTruth]) -> Grouping:
        """Take the annotated entities; mentions are those of the documents, in their order."""
        each = [torch.from_numpy(one.mention_entity.copy()).long() for one in truth]
        counts = [len(one.entity_type) for one in truth]
        starts = accumulate(counts, initial=0)
        shifted = [entity + start for entity, start in zip(each, starts, strict=False)]
        entity = torch.cat([torch.zeros(0).long(), *shifted])
        sizes = torch.bincount(entity, minlength=sum(counts))
        return cls(torch.arange(len(entity)), entity, sizes, counts)

    @classmethod
    def alone(cls, mentions: Sequence[int]) -> Grouping:
        """Let each mention be an entity, given how many each document has."""
        every = torch.arange(sum(mentions))
        return cls(every, every, torch.ones_like(every), list(mentions))

    @property
    def offset(self) -> Tensor:
        """Where the mentions of an entity begin in ``member``, and the end, [E + 1]."""
        return torch.cat((torch.zeros(1).long(), self.sizes.cumsum(0)))

    @property
    def starts(self) -> Tensor:
        """Where the entities of a document begin, and the end, [B + 1]."""
        return torch.tensor([0, *accumulate(self.counts)])

    def of_mentions(self) -> Tensor:
        """Return the entity of each mention, counted over the batch, [M]."""
        found = torch.empty_like(self.member)
        found[self.member] = self.entity
        return found
