"""Tables of sizes and distances, seen through a linear layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def projected_rows(
    table: nn.Embedding, weight: Tensor, index: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Return ``W embedding + b`` for each index.

    The table is projected, not what is looked up in it: there are more spans than sizes. Numbers
    beyond the table share its last row.

    Args:
        table: Embeddings of the numbers from 0 on.  # [rows, width]
        weight: ``W``.  # [D, width]
        index: Numbers, not negative.  # [N]
        bias: ``b``.  # [D]

    Returns:
        # [N, D]
    """
    projected = functional.linear(table.weight, weight, bias)  # [rows, D]
    return projected.index_select(0, index.clamp(max=table.num_embeddings - 1))
