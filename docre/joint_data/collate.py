"""Batches of joint models: drawn examples to learn from, or all candidates to judge."""

from __future__ import annotations

from typing import Any

import torch

from docre.data.feature_table import Rows
from docre.joint.batch import JointBatch, join_samples, join_spans, pairs_of
from docre.joint.sampling import JointSampler, NegativeCounts
from docre.joint.spans import candidate_spans
from docre.joint_data.truths import texts_of, truths_of, words_of

# Documents whose candidates are kept from epoch to epoch; each takes some 30 kB.
_REMEMBERED = 4096


class CandidateCollate:
    """Collate function of batches in which all candidates are judged.

    Args:
        pad_id: Token id that fills up shorter documents.
        max_span_words: Most words of a candidate.
    """

    def __init__(self, pad_id: int, max_span_words: int) -> None:
        self.pad_id = pad_id
        self.max_span_words = max_span_words

    def __call__(self, rows: Rows) -> JointBatch:
        """Return the batch of some rows."""
        words = words_of(rows)
        truths = truths_of(rows, words)
        candidates = [
            candidate_spans(
                torch.from_numpy(truth.sentence_words),
                torch.from_numpy(truth.token_offset),
                self.max_span_words,
            )
            for truth in truths
        ]
        return JointBatch(
            documents=texts_of(rows, self.pad_id),
            words=words,
            truth=tuple(truths),
            candidates=join_spans(candidates),
        )


class DrawingCollate:
    """Collate function of training batches: what is true, and a draw of what is not.

    The draw depends on seed, epoch and document alone, not on the process it is made in. All rows
    that an object is given have to be of one table: it remembers them by their numbers.

    Args:
        pad_id: Token id that fills up shorter documents.
        max_span_words: Most words of a candidate.
        negatives: How much is drawn.
        seed: Of the draws.
        mention_pairs: Whether to make the mention pairs of the sample.
    """

    def __init__(
        self,
        pad_id: int,
        max_span_words: int,
        negatives: NegativeCounts,
        seed: int,
        mention_pairs: bool = True,
    ) -> None:
        self.pad_id = pad_id
        self.max_span_words = max_span_words
        self.negatives = negatives
        self.seed = seed
        self.mention_pairs = mention_pairs
        self._samplers: dict[int, JointSampler] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_samplers": {}}  # a worker process makes its own

    def __call__(self, rows: Rows) -> JointBatch:
        """Return the batch of some rows, drawn for their epoch."""
        words = words_of(rows)
        samplers = self._of(rows, words)
        sample = join_samples([s.draw(self.negatives, self.seed, rows.epoch) for s in samplers])
        return JointBatch(
            documents=texts_of(rows, self.pad_id),
            words=words,
            truth=tuple(sampler.truth for sampler in samplers),
            sample=sample,
            mention_pairs=pairs_of(sample) if self.mention_pairs else None,
        )

    def _of(self, rows: Rows, words: tuple[tuple[str, ...], ...]) -> list[JointSampler]:
        """Return the sampler of each document, made when it is first asked for."""
        known, numbers = self._samplers, rows.row.tolist()
        if any(number not in known for number in numbers):
            for number, truth in zip(numbers, truths_of(rows, words), strict=True):
                if number not in known:
                    known[number] = JointSampler(truth, self.max_span_words)
        samplers = [known[number] for number in numbers]
        while len(known) > _REMEMBERED:
            del known[next(iter(known))]  # the oldest
        return samplers
