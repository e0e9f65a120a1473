"""Spans of words and of the tokens they are made of, and the candidates for mentions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Spans of a batch, flat; all are int64 and end-exclusive.

    Args:
        document: Row of the token states a span is in.  # [N]
        sentence: Its sentence, counted in the document.  # [N]
        word_start: First word, counted in the document.  # [N]
        word_end: One past the last word.  # [N]
        start: First token, counted in the row.  # [N]
        end: One past the last token.  # [N]
    """

    document: Tensor
    sentence: Tensor
    word_start: Tensor
    word_end: Tensor
    start: Tensor
    end: Tensor

    def __len__(self) -> int:
        return len(self.document)

    @property
    def sizes(self) -> Tensor:
        """Number of words of each span, [N]."""
        return self.word_end - self.word_start

    def of(self, index: Tensor) -> Spans:
        """Return some of the spans, in the order of ``index``."""
        return Spans(
            self.document[index],
            self.sentence[index],
            self.word_start[index],
            self.word_end[index],
            self.start[index],
            self.end[index],
        )

    @classmethod
    def cat(cls, parts: Sequence[Spans]) -> Spans:
        """Put spans behind one another; at least one part, each of rows of the same states."""
        columns = (field.name for field in fields(cls))
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in columns))


def candidate_spans(
    sentence_words: Tensor, token_offset: Tensor, max_words: int, document: int = 0
) -> Spans:
    """Return all spans of at most so many words that stay within a sentence.

    The order is by sentence, then by size, then by start. It matters: the score of two candidates
    being one entity is the one for the earlier and the later of them in this order.

    Args:
        sentence_words: Number of words of each sentence of one document.  # [S]
        token_offset: Where the tokens of each word begin in the document's row, and behind the
            last of them.  # [W + 1]
        max_words: Most words of a candidate.
        document: Row of the document in its batch.

    Raises:
        ValueError: If the sentences and ``token_offset`` disagree about the number of words.
    """
    words = int(sentence_words.sum())
    if len(token_offset) != words + 1:
        raise ValueError(f"token_offset has {len(token_offset)} rows for {words} words, plus one")
    sizes = torch.arange(1, max_words + 1, device=sentence_words.device)
    counts = (sentence_words[:, None] - sizes + 1).clamp(min=0).flatten()  # [S * K]
    group = torch.repeat_interleave(counts)  # [N]
    sentence = group.div(max_words, rounding_mode="floor")
    within = torch.arange(len(group), device=group.device) - (counts.cumsum(0) - counts)[group]
    word_start = (sentence_words.cumsum(0) - sentence_words)[sentence] + within
    word_end = word_start + sizes[group % max_words]
    return Spans(
        torch.full_like(sentence, document),
        sentence,
        word_start,
        word_end,
        token_offset[word_start],
        token_offset[word_end],
    )
