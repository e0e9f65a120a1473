"""Which sentences support a pair, read off the attention its context was made with."""

from __future__ import annotations

import torch
from torch import Tensor

from docre.batch import Batch


def sentence_scores(attention: Tensor, document: Tensor, batch: Batch) -> Tensor:
    """Return how much of a pair's attention falls on each sentence of its document.

    Args:
        attention: Of some pairs, over the tokens of their documents.  # [K, T]
        document: Of those pairs.  # [K]
        batch: The batch they are from.

    Returns:
        One column a sentence of the batch, 0 where it is of another document.  # [K, N]
    """
    return sentence_sums(attention, batch) * (document.unsqueeze(1) == batch.sentence_doc)


def sentence_sums(attention: Tensor, batch: Batch) -> Tensor:
    """Add up attention over the tokens of each sentence, whichever document that is of.

    Differences of running sums would be cheaper, but lose sentences that are hardly looked at, and
    in a loss their logarithm matters most.

    Args:
        attention: Over the tokens of a document.  # [K, T]
        batch: The batch.

    Returns:
        At least float32.  # [K, N]
    """
    exact = attention.to(torch.promote_types(attention.dtype, torch.float32))
    token = torch.arange(exact.shape[1], device=exact.device).unsqueeze(1)
    inside = (batch.sentence_start <= token) & (token < batch.sentence_end)  # [T, N]
    with torch.autocast(exact.device.type, enabled=False):  # which would round to half precision
        return exact @ inside.to(exact.dtype)


def evidence_sentences(
    attention: Tensor, document: Tensor, batch: Batch, share: float = 0.2
) -> list[tuple[int, ...]]:
    """Return the sentences, counted in their document, that get more than a share of the attention.

    Args:
        attention: Of some pairs, over the tokens of their documents.  # [K, T]
        document: Of those pairs.  # [K]
        batch: The batch they are from.
        share: What a sentence has to get; DREEAM's 0.2.
    """
    chosen = (sentence_scores(attention, document, batch) > share).tolist()
    seen: dict[int, int] = {}
    numbers = []  # of each sentence, in its document
    for owner in batch.sentence_doc.tolist():
        numbers.append(seen.get(owner, 0))
        seen[owner] = numbers[-1] + 1
    return [tuple(n for n, is_one in zip(numbers, row, strict=True) if is_one) for row in chosen]
