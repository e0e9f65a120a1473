"""Convolution over grids of any sizes at once.

Grids of different sizes do not fit into one picture. A 3 x 3 convolution is a linear layer over
the nine cells around each cell, so all grids of a batch are one matrix product: no padding, and
the weights are read once.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from docre.grids import Grids


def neighbours(grids: Grids, device: torch.device) -> Tensor:
    """Return the nine cells around each cell, itself the fifth, row by row.

    Returns:
        ``C``, the number of cells, stands for what is outside of a grid.  # [C, 9]
    """
    at = grids.coordinates(device)
    step = torch.arange(9, device=device)
    down, right = step // 3 - 1, step % 3 - 1  # [9]
    side = at.side.unsqueeze(1)  # [C, 1]
    row, column = at.row.unsqueeze(1) + down, at.column.unsqueeze(1) + right  # [C, 9]
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    cell = torch.arange(grids.cells, device=device).unsqueeze(1) + down * side + right
    return cell.where(inside, grids.cells)


class GridConvolution(nn.Module):
    """A 3 x 3 convolution with zeros around each grid.

    Args:
        in_features: Width of a cell.
        out_features: Width of what comes out.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        # columns: the channels of the first neighbour, then those of the second, ...
        self.linear = nn.Linear(9 * in_features, out_features)

    def forward(self, cells: Tensor, near: Tensor) -> Tensor:
        """Return one row a cell.

        Args:
            cells: Cells of all grids.  # [C, I]
            near: Their :func:`neighbours`.  # [C, 9]

        Returns:
            ``[C, O]``
        """
        weight: Tensor = self.linear.weight
        bias: Tensor = self.linear.bias
        device = cells.device.type
        if torch.is_autocast_enabled(device):  # which does not look into functions of our own
            dtype = torch.get_autocast_dtype(device)
            cells, weight, bias = cells.to(dtype), weight.to(dtype), bias.to(dtype)
        result: Tensor = _Convolve.apply(cells, weight, bias, near)  # type: ignore[no-untyped-call]
        return result


class _Convolve(torch.autograd.Function):
    """Keeps the cells, and not nine copies of them, for the way back."""

    @staticmethod
    def forward(ctx: Any, cells: Tensor, weight: Tensor, bias: Tensor, near: Tensor) -> Tensor:
        ctx.save_for_backward(cells, weight, near)
        return torch.addmm(bias, _around(cells, near), weight.t())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        cells, weight, near = ctx.saved_tensors
        width, out = cells.shape[1], weight.shape[0]
        # whose k-th neighbour a cell is, is its own k-th neighbour from the end
        around = _around(grad, near.flip(1))  # [C, 9 * O]
        of_weight = (around.t() @ cells).view(9, out, width)
        of_weight = of_weight.transpose(0, 1).reshape(weight.shape)  # [O, 9 * I]
        of_cells = None
        if ctx.needs_input_grad[0]:
            by_neighbour = weight.view(out, 9, width).transpose(0, 1)  # [9, O, I]
            of_cells = around @ by_neighbour.reshape(9 * out, width)
        return of_cells, of_weight, grad.sum(0), None


def _around(cells: Tensor, near: Tensor) -> Tensor:
    outside = nn.functional.pad(cells, (0, 0, 0, 1))  # [C + 1, I]
    return outside.index_select(0, near.flatten()).view(len(near), 9 * cells.shape[1])
