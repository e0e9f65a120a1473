"""Attention along the rows and the columns of grids.

A line has as many cells as a document has entities, some twenty: its attention map is small, and
what takes time is moving cells about. So the gradient is written by hand, straight to where it
belongs; automatic differentiation would put together as many arrays of all cells as there are
views of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Shapes = Sequence[tuple[int, int]]


class _AlongAxes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, shapes: Shapes) -> Tensor:
        found = torch.empty_like(projected[:, :2])  # [C, 2, H, d]
        kept = []
        for into, line in zip(_lines(found, shapes, 1), _lines(projected, shapes, 3), strict=True):
            query, key, value = line.unbind(2)
            scores = _rows(query) @ _rows(key).transpose(2, 3)  # [n, H, n, n]
            exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
            weights = (exact * query.shape[-1] ** -0.5).softmax(3).to(scores.dtype)
            into[:, :, 0] = (weights @ _rows(value)).transpose(1, 2)
            kept.append(weights)
        ctx.save_for_backward(projected, *kept)
        ctx.shapes = shapes
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        projected, *kept = ctx.saved_tensors
        result = torch.empty_like(projected)
        for of_found, into, line, weights in zip(
            _lines(gradients[0], ctx.shapes, 1),
            _lines(result, ctx.shapes, 3),
            _lines(projected, ctx.shapes, 3),
            kept,
            strict=True,
        ):
            query, key, value = (_rows(part) for part in line.unbind(2))
            gradient = _rows(of_found[:, :, 0])  # [n, H, n, d]
            slope = gradient @ value.transpose(2, 3)  # [n, H, n, n]
            slope = torch.ops.aten._softmax_backward_data(slope, weights, 3, weights.dtype)
            slope *= query.shape[-1] ** -0.5
            into[:, :, 0] = (slope @ key).transpose(1, 2)
            into[:, :, 1] = (slope.transpose(2, 3) @ query).transpose(1, 2)
            into[:, :, 2] = (weights.transpose(2, 3) @ gradient).transpose(1, 2)
        return result, None


def _lines(cells: Tensor, shapes: Shapes, parts: int) -> Iterator[Tensor]:
    """Yield the rows of each document, then its columns, as views, [n, n, parts, H, d]."""
    first = 0
    for rows, columns in shapes:
        if rows:
            own = cells[first : first + rows * columns]
            grid = own.view(rows, columns, *cells.shape[1:])
            yield grid[:, :, :parts]
            yield grid[:, :, parts:].transpose(0, 1)
            first += rows * columns


def _rows(part: Tensor) -> Tensor:
    """Bring attention heads before the cells of a line, [n, H, n, d]."""
    return part.transpose(1, 2)


def along_axes(projected: Tensor, shapes: Shapes) -> Tensor:
    """Return what each cell attends to in its row, and in its column.

    Args:
        projected: Query, key and value for rows, then for columns, of all cells of all documents,
            row by row.  # [C, 6, H, d]
        shapes: Number of rows and columns of each document's grid.

    Returns:
        For rows, then for columns.  # [C, 2, H, d]
    """
    if sum(rows * columns for rows, columns in shapes) != len(projected):
        raise ValueError(f"{len(projected)} cells are not those of grids of {list(shapes)}")
    found: Tensor = _AlongAxes.apply(projected, shapes)  # type: ignore[no-untyped-call]
    return found
