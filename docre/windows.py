"""Documents longer than the encoder reads at once: overlapping windows, and how they are merged.

A window gives the states of a stretch of the document. Before a stretch that does not begin the
document stand copies of its first token (``[CLS]``), behind one that does not end it copies of its
last (``[SEP]``); what the encoder makes of these copies is not used. Where stretches overlap,
states are averaged, and attention is added up and brought back to a sum of one.

Up to ``2 * size - start_tokens - end_tokens`` tokens, 1,022 for BERT, this is the scheme of the
published systems (ATLOP and all that came after it): exactly two windows, one from the beginning
and one to the end. They cut longer documents; here more windows follow.

Reference: Zhou et al. 2021, *Document-Level Relation Extraction with Adaptive Thresholding and
Localized Context Pooling*, whose code reads up to 1,024 tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from docre.errors import DocreError

Uncovered = Literal["cover", "published"]
_EPSILON = 1e-10


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence that the encoder reads.

    Args:
        document: Row of the batch.
        start: First position of the document that it covers.
        end: One past the last.
        lead: Copies of the document's first token before them.
        tail: Copies of its last token behind them.
    """

    document: int
    start: int
    end: int
    lead: int = 0
    tail: int = 0

    @property
    def inside(self) -> slice:
        """Where in the window the covered positions are."""
        return slice(self.lead, self.lead + self.end - self.start)

    def length(self, tokens: int) -> int:
        """Return how many positions it has before its padding, in a document of ``tokens``."""
        return self.lead + min(self.end, tokens) - self.start + self.tail


@dataclass(frozen=True, slots=True)
class WindowScheme:
    """How documents are divided.

    Args:
        size: Longest sequence the encoder reads.
        overlap: Least number of tokens that neighbours share if there are three windows or more.
        start_tokens: Copies of the first token before a window that is not the first.
        end_tokens: Copies of the last token behind a window that is not the last.
        uncovered: ``published`` reads up to ``2 * size`` tokens in two windows, even where that
            leaves some in the middle without any.
    """

    size: int
    overlap: int
    start_tokens: int = 1
    end_tokens: int = 1
    uncovered: Uncovered = "cover"

    def __post_init__(self) -> None:
        for name in ("overlap", "start_tokens", "end_tokens"):
            if getattr(self, name) < 0:
                raise DocreError(f"encoder: {name} must not be negative: {getattr(self, name)}")
        around = self.start_tokens + self.end_tokens
        if self.size <= around + self.overlap:
            raise DocreError(
                f"encoder: a window of {self.size} tokens is too small for {around} start and end "
                f"tokens and an overlap of {self.overlap}; raise window or lower overlap"
            )

    def plan(self, lengths: Sequence[int], padded: int) -> tuple[Window, ...]:
        """Return the windows of a batch, document by document.

        Args:
            lengths: Tokens of each document.
            padded: ``T``, length of the batch.

        Returns:
            One window over all ``padded`` positions for each document if that is at most ``size``;
            else every window reads exactly ``size`` tokens, of a short document with its padding.
        """
        end = min(padded, self.size)
        return tuple(
            window
            for document, length in enumerate(lengths)
            for window in (
                [Window(document, 0, end)]
                if length <= self.size
                else self._divide(document, length)
            )
        )

    def _divide(self, document: int, length: int) -> list[Window]:
        count = self._count(length)
        # tokens that neighbours share altogether, spread evenly; negative if some are uncovered
        shared = self._room(count) - length
        windows: list[Window] = []
        start = 0
        for number in range(count):
            lead = self.start_tokens if number else 0
            tail = self.end_tokens if number < count - 1 else 0
            end = start + self.size - lead - tail
            windows.append(Window(document, start, end, lead, tail))
            gaps = count - 1
            start = end - (shared * (number + 1) // gaps - shared * number // gaps)
        return windows

    def _room(self, count: int) -> int:
        """Return how many tokens some windows cover if they share none."""
        return count * self.size - (count - 1) * (self.start_tokens + self.end_tokens)

    def _count(self, length: int) -> int:
        within = 2 * self.size if self.uncovered == "published" else self._room(2)
        if length <= within:
            return 2
        # one more window adds this many tokens that its neighbour does not have
        step = self.size - self.start_tokens - self.end_tokens - self.overlap
        return 2 + -(-(length + self.overlap - self._room(2)) // step)


def read_windows(
    input_ids: Tensor, token_mask: Tensor, lengths: Sequence[int], windows: Sequence[Window]
) -> tuple[Tensor, Tensor]:
    """Return the sequences of the windows.

    Args:
        input_ids: Token ids.  # [B, T]
        token_mask: True at real tokens.  # [B, T]
        lengths: Tokens of each document.
        windows: Their plan; all of one size.

    Returns:
        Ids and mask of each window.  # [N, w], [N, w]
    """
    padded = input_ids.shape[1]
    source = np.stack([_source(window, lengths[window.document], padded) for window in windows])
    index = torch.from_numpy(source).to(input_ids.device, non_blocking=True)
    return input_ids.flatten()[index], token_mask.flatten()[index]


def _source(window: Window, length: int, padded: int) -> NDArray[np.int64]:
    """Return where in the flat batch the tokens of a window come from."""
    own = np.arange(window.start, window.end)
    parts = [np.zeros(window.lead), own, np.full(window.tail, length - 1)]
    return (np.concatenate(parts) + window.document * padded).astype(np.int64)


def place_mentions(
    mention_token: Tensor, mentions: Sequence[int], windows: Sequence[Window]
) -> tuple[Tensor, Tensor]:
    """Return where in each window the mentions of its document are.

    Which window has which mention only the device knows, so every window has a slot for each
    mention of its document, and as many slots as the window with the most.

    Args:
        mention_token: Token of each mention, document by document.  # [M]
        mentions: How many each document has; at least one in all.
        windows: The plan.

    Returns:
        Positions, 0 where there is nothing to find, and whether there is.  # [N, r], [N, r]
    """
    counts = np.asarray(mentions)
    document, start, end, lead = np.asarray(
        [(window.document, window.start, window.end, window.lead) for window in windows]
    ).T[:, :, None]  # [N, 1] each
    slot = np.arange(counts.max())
    used = slot < counts[document]  # [N, r]
    number = np.where(used, (counts.cumsum() - counts)[document] + slot, 0)
    stop = np.where(used, end, 0)
    # all that the host knows goes to the device in one piece
    known = np.stack(np.broadcast_arrays(number, start, stop, start - lead)).astype(np.int64)
    mention, first, last, shift = torch.from_numpy(known).to(
        mention_token.device, non_blocking=True
    )
    token = mention_token[mention]  # [N, r]
    inside = (token >= first) & (token < last)
    return torch.where(inside, token - shift, 0), inside


def merge_states(states: Tensor, windows: Sequence[Window], documents: int, padded: int) -> Tensor:
    """Return the states of documents; positions that no window covers are zero.

    Args:
        states: States of the windows.  # [N, w, D]
        windows: Their plan.
        documents: ``B``.
        padded: ``T``.

    Returns:
        The mean over all windows that cover a token.  # [B, T, D]
    """
    total = states.new_zeros(documents, padded, states.shape[-1])
    count = states.new_zeros(documents, padded, 1)
    for window, state in zip(windows, states.unbind(0), strict=True):
        total[window.document, window.start : window.end] += state[window.inside]
        count[window.document, window.start : window.end] += 1
    return total / count.clamp(min=1)  # [B, T, D]


def merge_rows(
    rows: Tensor, windows: Sequence[Window], mentions: Sequence[int], padded: int
) -> Tensor:
    """Return the attention of mentions to their documents.

    Args:
        rows: Attention in the windows; zero where a mention is not in a window.  # [N, H, r, w]
        windows: Their plan.
        mentions: How many each document has; its windows have them in the first rows.
        padded: ``T``.

    Returns:
        The sum over a document's windows, and if they are several, each row divided by its sum.
        # [M, H, T]
    """
    parts: list[list[tuple[Window, Tensor]]] = [[] for _ in mentions]
    for window, row in zip(windows, rows.unbind(0), strict=True):
        own = row[:, : mentions[window.document], window.inside].transpose(0, 1)  # [m, H, l]
        parts[window.document].append((window, own))
    return torch.cat([_whole_rows(part, padded) for part in parts])  # [M, H, T]


def _whole_rows(parts: Sequence[tuple[Window, Tensor]], padded: int) -> Tensor:
    """Return the attention of one document's mentions to all of it, [m, H, T]."""
    if len(parts) == 1:
        ((window, row),) = parts
        return pad(row, (window.start, padded - window.end))
    # into one place: a whole row for each window would be memory that grows with their square
    total = parts[0][1].new_zeros(*parts[0][1].shape[:2], padded)
    for window, row in parts:
        total[..., window.start : window.end] += row
    return _renormalise(total)


def _renormalise(rows: Tensor) -> Tensor:
    # in half precision the small number would be zero, and a row without any attention NaN
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    return (wide / (wide.sum(-1, keepdim=True) + _EPSILON)).to(rows.dtype)
