"""The scores of a reading: the best relations of every pair, predicted or not."""

from __future__ import annotations

import torch
from torch import Tensor

from docre.decoding import Decoder, ThresholdDecoder


class CandidateDecoder(Decoder):
    """The largest columns of every pair, relative to its threshold.

    Margins are counted from where the run's own decoder counts. A threshold that is a column has a
    place among the others, and may have none among the ``top_k`` largest: margins count from (the
    smallest of them - 1) then; all of them are predicted, and the threshold may be anywhere below.
    One that is no column, such as 0, is what it is.

    Exactly ``top_k`` columns are taken; of equal ones the lower column comes first, column 0 before
    all. Column 0 takes a place and is no candidate. A logit that is not a number is none either,
    and a pair whose threshold is none has no candidate.

    Args:
        top_k: Columns of a pair; all of them if there are fewer.
        decoder: That of the run; :class:`docre.decoding.ThresholdDecoder` if left out.
    """

    def __init__(self, top_k: int = 4, decoder: Decoder | None = None) -> None:
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        super().__init__(top_k)
        self.decoder = decoder or ThresholdDecoder()

    def mask(self, logits: Tensor) -> Tensor:
        """Return which relations are candidates, as a mask [P, R]."""
        columns, _ = self._largest(logits)
        chosen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, columns, True)
        unknown = self.decoder.threshold(logits).isnan()
        return (chosen & ~logits.isnan() & ~unknown[:, None])[:, 1:]  # [P, R]

    def threshold(self, logits: Tensor) -> Tensor:
        """Return what the margins of each pair are counted from, [P]."""
        known = self.decoder.threshold(logits)
        if not isinstance(self.decoder, ThresholdDecoder):
            return known
        columns, values = self._largest(logits)
        return torch.where((columns == 0).any(1), known, values[:, -1] - 1)

    def _largest(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the largest columns and their logits, each [P, k]."""
        ranked = logits.masked_fill(logits.isnan(), -torch.inf)
        # not topk: which of equal columns it takes is not said, and need not be the same twice
        values, columns = ranked.sort(dim=1, descending=True, stable=True)
        return columns[:, : self.top_k], values[:, : self.top_k]  # [P, k]
