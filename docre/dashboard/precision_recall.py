"""The PR Curves tab: what other thresholds would give, from the margins of all triples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from docre.batch import Batch
from docre.dashboard.part import Board, DashboardPart
from docre.outputs import HeadOutput

Floats = NDArray[np.float64]
# TensorBoard takes no more.
THRESHOLDS = 127


def margin_counts(margins: Tensor, labels: Tensor, thresholds: int = THRESHOLDS) -> Tensor:
    """Count triples by the sigmoid of their margin, in bins of equal width.

    Bin ``i`` holds what is at least ``i / (thresholds - 1)`` and below the next; a margin that is
    no number counts as lowest.

    Args:
        margins: Logits less the threshold of their pair.  # [P, R]
        labels: 1 where the triple is labelled.  # [P, R]
        thresholds: Number of bins.

    Returns:
        Unlabelled, then labelled ones.  # [2, thresholds]
    """
    exact = margins.to(torch.promote_types(margins.dtype, torch.float32))
    place = (exact.sigmoid().nan_to_num(0) * (thresholds - 1)).floor().long()
    index = place + thresholds * labels.long()  # [P, R]
    return torch.bincount(index.flatten(), minlength=2 * thresholds).view(2, thresholds)


def curve(counts: Tensor) -> tuple[Floats, ...]:
    """Return what TensorBoard draws of such counts, for rising thresholds.

    Returns:
        True and false positives, true and false negatives, precision, recall.  # [thresholds] each
    """
    unlabelled, labelled = counts.cpu().double().numpy()
    true, false = (row[::-1].cumsum()[::-1] for row in (labelled, unlabelled))
    missed, rejected = labelled.sum() - true, unlabelled.sum() - false
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    recall = true / max(labelled.sum(), 1)
    return true, false, rejected, missed, precision, recall


class PrecisionRecall(DashboardPart):
    """Draws precision against recall as the threshold of all triples moves.

    A triple is one relation of one pair of the development documents; 0.5 is where the model
    itself decides, but for a cap on the relations of a pair. Documents without labels are left out.
    With several devices it is the first one's documents.
    """

    def __init__(self) -> None:
        self._counts: Tensor | None = None

    def forget(self) -> None:
        """Forget all triples."""
        self._counts = None

    def see(self, board: Board, batch: Any, output: Any) -> None:
        """Count the triples of a batch; they stay where they are."""
        if not isinstance(batch, Batch) or not isinstance(output, HeadOutput):
            return
        logits = output.logits.detach()
        margins = logits[:, 1:] - board.model.decoder.threshold(logits).unsqueeze(1)
        labels = batch.labels(margins.shape[1])[:, 1:]
        known = batch.labelled[batch.pair_doc]
        counts = margin_counts(margins[known], labels[known])
        self._counts = counts if self._counts is None else self._counts + counts

    def show(self, board: Board) -> None:
        """Draw the curve."""
        if self._counts is None or not bool(self._counts[1].any()):
            return
        true, false, rejected, missed, precision, recall = curve(self._counts)
        board.writer.add_pr_curve_raw(
            "triples",
            true,
            false,
            rejected,
            missed,
            precision,
            recall,
            board.step,
            num_thresholds=THRESHOLDS,
        )
