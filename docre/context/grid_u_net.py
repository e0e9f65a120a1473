"""A small U-Net over grids of any sizes at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from docre.context.cell_normalisation import normalise
from docre.context.grid_convolution import GridConvolution, neighbours
from docre.grids import Grids


class GridUNet(nn.Module):
    """Sees each cell among those around it, near and far.

    Twice the grid is halved, and doubled again and joined with what it was; between, two
    convolutions. Documents are computed together and do not see each other, batch statistics in
    training aside: they are taken over all cells of the batch, those of other ranks included.

    Args:
        channels: Width of a cell.
        down: Width at full size; twice that at half and at a quarter.
        out: Width of what comes out.

    Reference: DocuNet (Zhang et al., 2021), section 3.2.
    """

    MIN_SIZE = 4  # halved twice, nothing is left of less

    def __init__(self, channels: int = 3, down: int = 256, out: int = 256) -> None:
        super().__init__()
        if down % 2:
            raise ValueError(f"down {down} is odd, and its half is a width too")
        self.enter = DoubleConvolution(channels, down)
        self.down1 = DoubleConvolution(down, 2 * down)
        self.down2 = DoubleConvolution(2 * down, 2 * down)
        self.up1 = DoubleConvolution(4 * down, down)
        self.up2 = DoubleConvolution(2 * down, down // 2)
        self.leave = nn.Linear(down // 2, out)

    def forward(self, cells: Tensor, grids: Grids) -> Tensor:
        """Return one row a cell.

        Args:
            cells: Cells of all grids.  # [C, channels]
            grids: How they lie; at least 4 x 4 each.

        Returns:
            ``[C, out]``
        """
        small = [size for size in grids.sizes if 0 < size < self.MIN_SIZE]
        if small:
            raise ValueError(f"a grid has {self.MIN_SIZE} rows or more, not {small[0]}")
        half = grids.halved()
        quarter = half.halved()
        near, near_half, near_quarter = (
            neighbours(level, cells.device) for level in (grids, half, quarter)
        )
        first = self.enter(cells, near)
        second = self.down1(grids.each(first, _halve), near_half)
        third = self.down2(half.each(second, _halve), near_quarter)
        risen = self.up1(torch.cat([second, _double(third, quarter, half)], 1), near_half)
        risen = self.up2(torch.cat([first, _double(risen, half, grids)], 1), near)
        result: Tensor = self.leave(risen)
        return result


class DoubleConvolution(nn.Module):
    """Twice a 3 x 3 convolution, batch normalisation and ReLU.

    Args:
        in_features: Width of a cell.
        out_features: Width of what comes out.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.conv1 = GridConvolution(in_features, out_features)
        self.norm1 = nn.BatchNorm1d(out_features)
        self.conv2 = GridConvolution(out_features, out_features)
        self.norm2 = nn.BatchNorm1d(out_features)

    def forward(self, cells: Tensor, near: Tensor) -> Tensor:
        """Return one row a cell; see :class:`GridConvolution`."""
        cells = normalise(self.norm1, self.conv1(cells, near)).relu_()
        return normalise(self.norm2, self.conv2(cells, near)).relu_()


def _halve(stack: Tensor) -> Tensor:
    """Return the maximum of every 2 x 2 cells, [G, n // 2, n // 2, D], of [G, n, n, D]."""
    return nn.functional.max_pool2d(stack.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def _double(cells: Tensor, low: Grids, high: Grids) -> Tensor:
    """Return cells of twice as many rows, with zeros where the finer grid has one more."""
    if not high.cells:
        return cells
    return high.join(
        _stretch(stack, side) for stack, side in zip(low.split(cells), high.sides, strict=True)
    )


def _stretch(stack: Tensor, side: int) -> Tensor:
    doubled = nn.functional.interpolate(
        stack.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear", align_corners=True
    ).permute(0, 2, 3, 1)  # [G, 2n, 2n, D]
    more = side - doubled.shape[1]
    before, after = more // 2, more - more // 2
    return nn.functional.pad(doubled, (0, 0, before, after, before, after))
