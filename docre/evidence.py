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
    exact = attention.to(torch.promote_types(attention.dtype, torch.float32))
    running = torch.nn.functional.pad(exact.cumsum(1), (1, 0))  # [K, T + 1]
    scores = running[:, batch.sentence_end] - running[:, batch.sentence_start]  # [K, N]
    return scores * (document.unsqueeze(1) == batch.sentence_doc)


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
