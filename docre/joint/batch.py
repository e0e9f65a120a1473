"""The batch of a joint model: texts, and what the heads are asked about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from docre.batch import Batch, Sizes
from docre.joint.mention_pairs import MentionPairs, all_mention_pairs
from docre.joint.moving import each_tensor
from docre.joint.samples import JointSample, JointTruth
from docre.joint.spans import Spans


@dataclass(frozen=True, slots=True, eq=False)
class JointBatch:
    """Documents of one step.

    A training batch has a sample, the heads are asked about that alone; others have candidates.

    Args:
        documents: Their texts: no mentions, entities or pairs.
        words: The words of each document.
        truth: The annotations of each document, in host memory; empty ones where it was never
            labelled.
        sample: What the heads are asked and the answers, over all documents.
        mention_pairs: Those of the entity pairs of the sample, for heads that read them.
        candidates: Spans that may be mentions, document by document; they stay in host memory.
    """

    documents: Batch
    words: tuple[tuple[str, ...], ...]
    truth: tuple[JointTruth, ...]
    sample: JointSample | None = None
    mention_pairs: MentionPairs | None = None
    candidates: Spans | None = None

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def document_ids(self) -> tuple[str, ...]:
        """Title or id of each document."""
        return self.documents.document_ids

    @property
    def sizes(self) -> Sizes:
        """Numbers of tokens, and of annotated mentions, entities and their pairs."""
        entities = tuple(len(one.entity_type) for one in self.truth)
        return Sizes(
            self.documents.sizes.tokens,
            tuple(len(one.mention_start) for one in self.truth),
            entities,
            tuple(count * (count - 1) for count in entities),
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.documents.device

    def to(self, device: torch.device | str, non_blocking: bool = False) -> JointBatch:
        """Return the batch on another device; candidates stay where they are."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> JointBatch:
        """Return the batch in page-locked memory, from where copies to a GPU need not wait."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> JointBatch:
        sample, pairs = self.sample, self.mention_pairs
        return replace(
            self,
            documents=each_tensor(self.documents, change),
            sample=None if sample is None else each_tensor(sample, change),
            mention_pairs=None if pairs is None else each_tensor(pairs, change),
        )


def join_samples(samples: Sequence[JointSample]) -> JointSample:
    """Put the samples of documents behind one another; each is the next row of the batch.

    Args:
        samples: At least one, in host memory.
    """
    spans, entities, pairs = [0], [0], [0]
    for one in samples:
        spans.append(spans[-1] + len(one.spans))
        entities.append(entities[-1] + len(one.entity_type))
        pairs.append(pairs[-1] + len(one.pair_head))
    members = [0]
    for one in samples:
        members.append(members[-1] + len(one.member))

    def joined(name: str, shift: Sequence[int] | None = None) -> Tensor:
        columns = [getattr(one, name) for one in samples]
        if shift is not None:
            columns = [column + by for column, by in zip(columns, shift, strict=False)]
        return torch.cat(columns)

    longest = [one.longest for one in samples if one.longest is not None]
    offsets = [one.entity_offset[:-1] + by for one, by in zip(samples, members, strict=False)]
    return JointSample(
        spans=join_spans([one.spans for one in samples]),
        mention_target=joined("mention_target"),
        member=joined("member", spans),
        entity_offset=torch.cat([*offsets, torch.tensor([members[-1]])]),
        entity_type=joined("entity_type"),
        first=joined("first", spans),
        second=joined("second", spans),
        edit_distance=joined("edit_distance"),
        coreference_target=joined("coreference_target"),
        pair_head=joined("pair_head", entities),
        pair_tail=joined("pair_tail", entities),
        label_pair=joined("label_pair", pairs),
        label_relation=joined("label_relation"),
        longest=max(longest) if len(longest) == len(samples) else None,
    )


def join_spans(documents: Sequence[Spans]) -> Spans:
    """Put the spans of documents behind one another; each is the next row of the batch."""
    rows = [torch.full_like(one.document, row) for row, one in enumerate(documents)]
    names = ("sentence", "word_start", "word_end", "start", "end")
    columns = {name: torch.cat([getattr(one, name) for one in documents]) for name in names}
    return Spans(document=torch.cat(rows), **columns)


def pairs_of(sample: JointSample) -> MentionPairs:
    """Return the mention pairs of a sample's entity pairs; in host memory."""
    return all_mention_pairs(
        sample.pair_head, sample.pair_tail, sample.member, sample.entity_offset, sample.spans
    )
