"""Grids of pairs: every entity of a document against every one, itself included.

Some parts look at pairs as at the cells of a picture. Documents with equally many entities are
put together, and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from docre.batch import Batch


class Coordinates(NamedTuple):
    """Where each cell is.

    Args:
        document: Its document.  # [C]
        row: Its row in the grid of the document, the head.  # [C]
        column: Its column, the tail.  # [C]
        side: Number of rows of that grid.  # [C]
    """

    document: Tensor
    row: Tensor
    column: Tensor
    side: Tensor


class Grids:
    """Cells of documents, row by row and one document after another, and the same as grids.

    Args:
        sizes: Number of rows of each document's grid, 0 for a document that has no cells.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        groups: dict[int, list[int]] = {}
        for document, size in enumerate(self.sizes):
            if size:
                groups.setdefault(size, []).append(document)
        self._groups = tuple(groups.values())

    @property
    def cells(self) -> int:
        """Number of cells of all documents."""
        return sum(size * size for size in self.sizes)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each document's grid."""
        return [(size, size) for size in self.sizes]

    @property
    def sides(self) -> list[int]:
        """Number of rows of each stack that :meth:`split` gives."""
        return [self.sizes[documents[0]] for documents in self._groups]

    def halved(self) -> Grids:
        """Return grids of half the rows, rounded down, that are stacked as these are."""
        half = Grids([size // 2 for size in self.sizes])
        half._groups = self._groups
        return half

    def split(self, cells: Tensor) -> list[Tensor]:
        """Return one stack of grids for each size, [G, n, n, ...], from cells, [C, ...]."""
        pieces = torch.split(cells, [size * size for size in self.sizes])
        stacks = []
        for size, documents in zip(self.sides, self._groups, strict=True):
            # one grid is a view: most batches have few documents of the same size
            first = pieces[documents[0]].unsqueeze(0)
            stack = first if len(documents) == 1 else torch.stack([pieces[d] for d in documents])
            stacks.append(stack.view(-1, size, size, *cells.shape[1:]))
        return stacks

    def join(self, stacks: Iterable[Tensor]) -> Tensor:
        """Return the cells, [C, ...], of stacks in the order in which :meth:`split` gives them."""
        pieces: dict[int, Tensor] = {}
        for documents, stack in zip(self._groups, stacks, strict=True):
            pieces |= zip(documents, stack.flatten(1, 2).unbind(), strict=True)
        if not pieces:
            raise ValueError("there is no grid to join")
        return torch.cat([pieces[document] for document in sorted(pieces)])

    def each(self, cells: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the cells of what a function makes of each stack; no cells if there are none."""
        return self.join(map(change, self.split(cells))) if self._groups else cells

    def offsets(self, device: torch.device) -> Tensor:
        """Return where the cells of each document begin, and their number, [B + 1]."""
        return torch.nn.functional.pad(self._on(device).square().cumsum(0), (1, 0))

    def coordinates(self, device: torch.device) -> Coordinates:
        """Return where each cell is."""
        size = self._on(device)  # [B]
        document = torch.arange(len(size), device=device)
        document = document.repeat_interleave(size.square(), output_size=self.cells)  # [C]
        place = torch.arange(self.cells, device=device) - self.offsets(device)[document]
        side = size[document]
        return Coordinates(document, place // side, place % side, side)

    def cells_of(self, batch: Batch) -> Tensor:
        """Return the cell of each pair of a batch, [P]; grids may be larger than its documents."""
        document = batch.pair_doc
        entity = batch.entity_offset[document]
        head, tail = batch.pair_head - entity, batch.pair_tail - entity
        return self.offsets(batch.device)[document] + head * self._on(batch.device)[document] + tail

    def _on(self, device: torch.device) -> Tensor:
        return torch.tensor(self.sizes, dtype=torch.long).to(device, non_blocking=True)


class GridBatch(NamedTuple):
    """A batch whose pairs are all cells of the grids, and where its pairs are among them.

    Args:
        batch: With all cells as pairs, and without labels.
        cell: Cell of each pair that the batch had before.  # [P]
        grids: Its grids.
    """

    batch: Batch
    cell: Tensor
    grids: Grids


def grids_of(batch: Batch) -> Grids:
    """Return the grids of the documents that have pairs at all."""
    sizes = batch.sizes
    return Grids([n if pairs else 0 for n, pairs in zip(sizes.entities, sizes.pairs, strict=True)])


def with_all_cells(batch: Batch) -> GridBatch:
    """Return the batch with all cells in place of its pairs."""
    grids = grids_of(batch)
    device = batch.device
    cells = grids.coordinates(device)
    first = batch.entity_offset[cells.document]
    nothing = torch.zeros(0, dtype=torch.long, device=device)
    whole = replace(
        batch,
        pair_head=first + cells.row,
        pair_tail=first + cells.column,
        pair_doc=cells.document,
        pair_offset=grids.offsets(device),
        label_pair=nothing,
        label_relation=nothing,
        evidence_label=nothing,
        evidence_sentence=nothing,
        sizes=batch.sizes._replace(pairs=tuple(size * size for size in grids.sizes)),
    )
    return GridBatch(whole, grids.cells_of(batch), grids)
