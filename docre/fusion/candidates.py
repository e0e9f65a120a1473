"""The scores of a reading: the best relations of every pair, predicted or not."""

from __future__ import annotations

import torch
from torch import Tensor

from docre.decoding import Decoder


class CandidateDecoder(Decoder):
    """The largest columns of every pair, relative to its threshold.

    The margin of a relation is its logit minus the threshold's if the threshold is itself among the
    ``top_k`` largest columns, else minus (the smallest of them - 1): all of them are predicted
    then, and the threshold may be anywhere below.

    Exactly ``top_k`` columns are taken; of equal ones the lower column comes first, the threshold
    before all. The threshold takes a place and is no candidate. A logit that is not a number is
    none either, and a pair whose threshold is none has no candidate.

    Args:
        top_k: Columns of a pair; all of them if there are fewer.
    """

    def __init__(self, top_k: int = 4) -> None:
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        super().__init__(top_k)

    def mask(self, logits: Tensor) -> Tensor:
        """Return which relations are candidates, as a mask [P, R]."""
        columns, _ = self._largest(logits)
        chosen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, columns, True)
        known = ~logits.isnan()
        return (chosen & known & known[:, :1])[:, 1:]  # [P, R]

    def threshold(self, logits: Tensor) -> Tensor:
        """Return what the margins of each pair are counted from, [P]."""
        columns, values = self._largest(logits)
        return torch.where((columns == 0).any(1), logits[:, 0], values[:, -1] - 1)

    def _largest(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the largest columns and their logits, each [P, k]."""
        ranked = logits.masked_fill(logits.isnan(), -torch.inf)
        # not topk: which of equal columns it takes is not said, and need not be the same twice
        values, columns = ranked.sort(dim=1, descending=True, stable=True)
        return columns[:, : self.top_k], values[:, : self.top_k]  # [P, k]
