"""Axial attention: a pair looks at the pairs of the same head, and at those of the same tail."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from docre.grids import Grids, grids_of
from docre.outputs import Scene
from docre.refinement.base import Refinement
from docre.refinement.line_attention import along_axes

# Entities of a document in KD-DocRE's code; more make it fail there.
PUBLISHED_SIZE = 42


class AxialTransformer(Refinement):
    """Adds to each pair what layers of axial attention over its document's grid make of it.

    ``F + layers(F)``. The grid holds all entities against all, themselves included. Documents are
    on their own, and there are no empty cells.

    Args:
        width: Of a pair's features.
        in_features: Not needed.
        layers: Number of layers.
        attention_heads: Heads of each attention; divides the width.
        padding: ``none``, or ``published``: fill every grid up to 42 x 42 cells that take part in
            attention, with zeros in training and the features of an empty cell in evaluation, as
            KD-DocRE's code does. For parity: slow, and wrong in that training and evaluation see
            different things.

    Reference: KD-DocRE (Tan et al., 2022), section 3.2.
    """

    needs_grid = True

    def __init__(
        self,
        width: int,
        in_features: int,
        layers: int = 6,
        attention_heads: int = 8,
        padding: Literal["none", "published"] = "none",
    ) -> None:
        super().__init__(width, in_features)
        if attention_heads < 1 or width % attention_heads:
            raise ValueError(f"{attention_heads} attention heads do not divide the width {width}")
        self.layers = nn.ModuleList(AxialLayer(width, attention_heads) for _ in range(layers))
        self.padding = padding
        self.needs_blank = padding == "published"

    def forward(self, features: Tensor, scene: Scene, blank: Tensor | None = None) -> Tensor:
        """Return refined features; see the base class."""
        grids = grids_of(scene.batch)
        if self.padding == "none":
            return features + self._through(features, grids)
        most = max(grids.sizes, default=0)
        if most > PUBLISHED_SIZE:
            document = scene.batch.document_ids[grids.sizes.index(most)]
            raise ValueError(
                f"padding 'published' has room for {PUBLISHED_SIZE} entities, document "
                f"{document!r} has {most}"
            )
        padded = Grids([PUBLISHED_SIZE if size else 0 for size in grids.sizes])
        cell = grids.coordinates(features.device)
        first = padded.offsets(features.device)[cell.document]
        place = first + cell.row * PUBLISHED_SIZE + cell.column  # [C]
        # as published: nothing in training, the features of an empty cell in evaluation
        empty = None if self.training else blank
        cells = features.new_zeros(self.width) if empty is None else empty.to(features.dtype)
        cells = cells.expand(padded.cells, -1).index_copy(0, place, features)
        return features + self._through(cells, padded)[place]

    def _through(self, cells: Tensor, grids: Grids) -> Tensor:
        for layer in self.layers:
            cells = layer(cells, grids)
        return cells


class AxialLayer(nn.Module):
    """Attention along rows and along columns, added to the cells; then a linear map, normalised.

    As published there is neither an activation, nor anything added after the linear map.

    Args:
        width: Of a cell.
        attention_heads: Heads of each attention.
    """

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__()
        self.attention_heads = attention_heads
        # query, key and value along a row (same head), then along a column (same tail)
        self.project = nn.Linear(width, 6 * width, bias=False)
        self.merge = nn.Linear(2 * width, width)
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, cells: Tensor, grids: Grids) -> Tensor:
        """Return the new cells.

        Args:
            cells: ``[C, F]``
            grids: How they lie.
        """
        projected = self.project(cells).unflatten(1, (6, self.attention_heads, -1))
        found = self.merge(along_axes(projected, grids.shapes).flatten(1))  # [C, F]
        result: Tensor = self.norm(self.linear(cells + found))
        return result
