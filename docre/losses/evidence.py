"""Evidence loss: a context should come from the sentences that support its pair.

Reference: Ma et al. 2023 (DREEAM). It has no parameters of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from docre.batch import Batch
from docre.evidence import sentence_sums
from docre.losses.base import Loss, LossPart, LossParts
from docre.losses.divergence import context_attention, divergence
from docre.outputs import AttentionMaps, HeadOutput, Targets


def evidence_divergence(attention: AttentionMaps, batch: Batch) -> tuple[Tensor, Tensor]:
    """Compare the attention of labelled pairs, sentence by sentence, with their evidence.

    The target of a pair is how often each sentence is evidence, for any of its relations, divided
    by the sum. A labelled pair without evidence gives 0, and is counted.

    Args:
        attention: Of all pairs of the batch.
        batch: The batch.

    Returns:
        Divergences, one a label: the first label of a pair has it, the others have 0.  # [K]
        The number of labelled pairs.  # []
    """
    count = batch.label_pair.shape[0]
    own = torch.arange(count, device=batch.device)
    first = own.new_full((batch.num_pairs,), count)
    first = first.scatter_reduce(0, batch.label_pair, own, "amin")[batch.label_pair]  # [K]
    scores = sentence_sums(attention.of(batch.label_pair), batch)  # [K, N]
    where = first[batch.evidence_label], batch.evidence_sentence
    one = scores.new_ones(())
    counts = torch.zeros_like(scores).index_put(where, one, accumulate=True)
    # sentences of other documents have no count, so whatever their score is does not matter
    target = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return divergence(target, scores), (first == own).sum()


class EvidenceLoss(Loss):
    """Mean over the labelled pairs of :func:`evidence_divergence`; its one part is ``evidence``.

    To be added to a loss of the relations (:class:`~docre.losses.CombinedLoss`). Labelled pairs
    whose evidence nobody annotated are in the mean, as in the published code, and thin it out.

    Args:
        priors: Not needed.
        weight: Factor of the loss in the total: 0.1 for BERT-base, 0.05 for RoBERTa-large.
        across_ranks: Mean over the labelled pairs of all ranks.
    """

    def __init__(
        self, priors: Tensor | None = None, *, weight: float = 0.1, across_ranks: bool = True
    ) -> None:
        super().__init__(priors, across_ranks=across_ranks)
        if not weight >= 0:
            raise ValueError(f"weight is at least 0, not {weight}")
        self.weight = weight

    def forward(self, output: HeadOutput, targets: Targets) -> LossParts:
        """Return the part.

        Raises:
            ValueError: Without a batch among the targets, or attention in the output.
        """
        if targets.batch is None:
            raise ValueError("EvidenceLoss reads evidence off the batch: give Targets its batch")
        values, count = evidence_divergence(context_attention(output), targets.batch)
        part = LossPart(values, weight=self.weight, across_ranks=self.across_ranks, count=count)
        return LossParts({"evidence": part})

    def extra_repr(self) -> str:
        """Show the weight."""
        return f"weight={self.weight}"
