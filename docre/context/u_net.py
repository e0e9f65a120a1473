"""Context from the grid of pairs: what a U-Net sees around a pair."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from docre.batch import Batch
from docre.context.base import Context
from docre.context.grid_u_net import GridUNet
from docre.context.localized import localized_contexts
from docre.grids import Grids, grids_of
from docre.outputs import Encoded, PairContext


class UNetContext(Context):
    """Draws the localized contexts of a document as a picture, and reads it with a U-Net.

    Every entity of a document against every one, itself included, is a cell; its localized context
    is projected to a few channels. What the U-Net makes of the cell is the context of the pair: the
    localized context itself goes no further.

    Args:
        in_features: Width of token states.
        channels: Of the picture.
        down: Width of the U-Net at full size.
        out: Width of a context.
        height: Rows of every picture: the rest repeats the document's last entity, as published
            code does (42, and 35 on CDR and GDA). ``None``, the default, gives a document of ``n``
            entities a picture of ``n`` rows, so nothing is computed for nobody; below 4 it is
            filled up with zeros to 4, the smallest that can be halved twice.
        eps: Added to the sum of a pair's attention.

    Reference: DocuNet (Zhang et al., 2021), section 3.2.
    """

    def __init__(
        self,
        in_features: int,
        channels: int = 3,
        down: int = 256,
        out: int = 256,
        height: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(in_features)
        if height is not None and height < GridUNet.MIN_SIZE:
            raise ValueError(f"height is {GridUNet.MIN_SIZE} or more, not {height}")
        self.out_features = out
        self.height = height
        self.eps = eps
        self.project = nn.Linear(in_features, channels)
        self.network = GridUNet(channels, down, out)

    def forward(
        self, encoded: Encoded, entity_states: Tensor, entity_attention: Tensor, batch: Batch
    ) -> PairContext:
        """Return the contexts; see the base class.

        Raises:
            ValueError: If a document has more entities than ``height``.
        """
        pictures = self.pictures_of(batch)
        # tokens are projected before they are averaged, which is the same and much less to average
        tokens = nn.functional.linear(encoded.token_states, self.project.weight)  # [B, T, channels]
        contexts = localized_contexts(tokens, entity_attention, batch, self.eps, every=True)
        channels = contexts.states + self.project.bias  # [U, channels]
        # one row more, of zeros, for cells that are filled up
        channels = nn.functional.pad(channels, (0, 0, 0, 1))  # [U + 1, channels]
        places = context_of_cells(batch, pictures, repeat_last=self.height is not None)
        states = self.network(channels[places], pictures)  # [C, out]
        return PairContext(states, pictures.cells_of(batch), contexts.attention)

    def pictures_of(self, batch: Batch) -> Grids:
        """Return how many rows the picture of each document has."""
        sizes = grids_of(batch).sizes
        if self.height is None:
            return Grids([max(size, GridUNet.MIN_SIZE) if size else 0 for size in sizes])
        for name, size in zip(batch.document_ids, sizes, strict=True):
            if size > self.height:
                raise ValueError(
                    f"document {name!r} has {size} entities, more than the height {self.height}"
                )
        return Grids([self.height if size else 0 for size in sizes])


def context_of_cells(batch: Batch, pictures: Grids, repeat_last: bool) -> Tensor:
    """Return the place of each cell's context among those of all two entities.

    Args:
        batch: The batch.
        pictures: The cells; at least as many rows as a document has entities.
        repeat_last: What is beyond the last entity is the last entity; else it is nothing, which
            the place after the last stands for.

    Returns:
        Places as ``localized_contexts(..., every=True)`` orders them.  # [C]
    """
    grids = grids_of(batch)
    distinct = [size * (size + 1) // 2 for size in grids.sizes]
    sizes = torch.tensor([grids.sizes, distinct]).to(batch.device, non_blocking=True)  # [2, B]
    entities, counts = sizes
    cell = pictures.coordinates(batch.device)
    last = entities[cell.document] - 1  # [C]
    row, column = cell.row.minimum(last), cell.column.minimum(last)
    low, high = row.minimum(column), row.maximum(column)
    first = (counts.cumsum(0) - counts)[cell.document]
    # rows of the upper triangle before this one, each shorter than the one before
    place: Tensor = first + low * (2 * last + 1 - low) // 2 + high
    if not repeat_last:
        place = place.where(cell.row.maximum(cell.column) <= last, sum(distinct))
    return place
