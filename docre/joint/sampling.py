"""What the joint model is trained on: the truth of a document and a draw of what is not true.

What can be drawn is found once for each document; a draw takes some of it, new in each epoch. All
that is true is always in the sample, and comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from docre.joint.samples import JointSample, JointTruth, tensor_of
from docre.joint.spans import candidate_spans

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NegativeCounts:
    """How much is drawn of what is not true; less where a document has less.

    Args:
        spans: Spans that are no mention.
        inside_share: Share of them that lies inside a mention. Others fill up what is lacking
            there, but never the other way round.
        coreference: Ordered pairs of mentions of different entities.
        relations: Ordered pairs of entities without any relation.
    """

    spans: int = 200
    inside_share: float = 0.5
    coreference: int = 200
    relations: int = 200

    def __post_init__(self) -> None:
        for name in ("spans", "coreference", "relations"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.inside_share <= 1:
            raise ValueError(f"inside_share must be from 0 to 1, not {self.inside_share}")


class JointSampler:
    """Draws the training samples of one document.

    Pairs are kept as one number each, row times width plus column.

    Args:
        truth: The annotations of the document.
        max_words: Most words of a candidate. Mentions may be longer.
    """

    def __init__(self, truth: JointTruth, max_words: int = 10) -> None:
        self.truth = truth
        self._inside, self._outside = _negative_spans(truth, max_words)
        self._member = _first_places(truth.mention_start, truth.mention_end)
        same = truth.mention_entity[:, None] == truth.mention_entity  # [M, M]
        self._apart = np.flatnonzero(~same)
        np.fill_diagonal(same, False)
        self._together = np.flatnonzero(same)
        entities = len(truth.entity_type)
        keys = truth.label_head * entities + truth.label_tail
        pairs, first_label, place = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first_label)
        self._labelled = pairs[order]
        label = np.stack((np.argsort(order)[place], truth.label_relation), 1)  # [L, 2]
        self._label_pair, self._label_relation = np.unique(label, axis=0).T
        free = ~np.eye(entities, dtype=bool)
        free.flat[pairs] = False
        self._unlabelled = np.flatnonzero(free)

    def draw(self, counts: NegativeCounts, seed: int, epoch: int) -> JointSample:
        """Return a sample: the same for the same seed, epoch and document, wherever it is drawn.

        Args:
            counts: How much of what is not true; each of it is equally likely, and taken once.
            seed: Of the run; not negative.
            epoch: Counted from 0.
        """
        truth = self.truth
        digest = blake2b(truth.document_id.encode("utf-8", "surrogatepass"), digest_size=16)
        words = np.frombuffer(digest.digest(), dtype="<u4").tolist()
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, *words])))

        inside = _some(random, self._inside, int(counts.spans * counts.inside_share))
        outside = _some(random, self._outside, counts.spans - len(inside))
        mentions = np.stack((truth.mention_start, truth.mention_end), 1)  # [M, 2]
        places = np.concatenate((mentions, inside, outside)).astype(np.int64)  # [N, 2]
        spans = truth.spans(*places.T)

        apart = _some(random, self._apart, counts.coreference)
        # nothing is divided where there are no mentions, but a width of 0 would be refused
        one, other = np.divmod(np.concatenate((self._together, apart)), max(len(mentions), 1))

        unlabelled = _some(random, self._unlabelled, counts.relations)
        entities = len(truth.entity_type)
        head, tail = np.divmod(np.concatenate((self._labelled, unlabelled)), max(entities, 1))

        sizes = np.bincount(truth.mention_entity, minlength=entities)
        return JointSample(
            spans,
            _ones_then_zeros(len(mentions), len(spans)),
            tensor_of(self._member),
            tensor_of(np.concatenate(([0], sizes.cumsum()))),
            tensor_of(truth.entity_type),
            tensor_of(self._member[one]),
            tensor_of(self._member[other]),
            tensor_of(truth.edit_distance[one, other]),
            _ones_then_zeros(len(self._together), len(one)),
            tensor_of(head),
            tensor_of(tail),
            tensor_of(self._label_pair),
            tensor_of(self._label_relation),
            longest=int((spans.end - spans.start).max()) if len(spans) else 0,
        )


def _negative_spans(
    truth: JointTruth, max_words: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the candidates that are no mention, [N, 2]: those inside some mention, and others."""
    offset = tensor_of(truth.token_offset)
    candidates = candidate_spans(tensor_of(truth.sentence_words), offset, max_words)
    start, end = candidates.word_start.numpy(), candidates.word_end.numpy()
    width = len(offset)
    gold = np.isin(start * width + end, truth.mention_start * width + truth.mention_end)
    # how far mentions reach that begin at a word or before: a span inside one ends there or before
    reach = np.zeros(width, np.int64)
    np.maximum.at(reach, truth.mention_start, truth.mention_end)
    inside = end <= np.maximum.accumulate(reach)[start]
    # kept for all documents of a corpus, so in few bytes
    spans = np.stack((start, end), 1).astype(np.int32)
    return spans[inside & ~gold], spans[~inside & ~gold]


def _first_places(start: IntArray, end: IntArray) -> IntArray:
    """Return for each mention the first one with the same span."""
    keys = start * (end.max(initial=0) + 1) + end
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first[place]


def _some(
    random: np.random.Generator, rows: NDArray[np.signedinteger[Any]], count: int
) -> NDArray[np.signedinteger[Any]]:
    """Return so many rows at random, all where there are fewer, in their order."""
    if count >= len(rows):
        return rows
    return rows[np.sort(random.choice(len(rows), count, replace=False, shuffle=False))]


def _ones_then_zeros(ones: int, count: int) -> Tensor:
    return (torch.arange(count) < ones).float()
