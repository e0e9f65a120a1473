"""Where the slots of a memory lie among the head entities that read from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from docre.batch import Batch
from docre.dashboard.drawing import show_figure
from docre.dashboard.head_entities import EntityPoint, head_entities
from docre.dashboard.map_figure import fits, map_figure
from docre.dashboard.part import Board, DashboardPart, Hook
from docre.dashboard.projector import PointCloud, write_projector
from docre.dashboard.slots import Slots, reading_parts, slots_of
from docre.grids import with_all_cells
from docre.memory.base import MemoryReader

# Head entities that are shown.
_ENTITIES = 300


class MemoryMap(DashboardPart):
    """Draws slots and head entities on the first two principal components of both.

    That is figure 5 of the TTM-RE paper. At the end of training the same vectors go to the
    Projector tab, all their numbers and with names.
    """

    def __init__(self) -> None:
        self._heads: dict[str, Tensor] = {}
        self._entities: dict[str, list[EntityPoint]] = {}
        self._slots: list[Slots] = []

    def forget(self) -> None:
        """Forget all entities and slots."""
        self._heads, self._entities, self._slots = {}, {}, []

    def watch(self, board: Board) -> list[Hook]:
        """Keep the heads that memories of pairs are read with, until the batch is done."""
        readers = reading_parts(board.model).items()
        return [
            part.register_forward_hook(self._keeping(name))
            for name, part in readers
            if isinstance(part, MemoryReader)
        ]

    def _keeping(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def keep(_: nn.Module, given: tuple[Any, ...], __: Any) -> None:
            if len(self._entities.get(name, ())) < _ENTITIES:
                self._heads[name] = given[0].detach()

        return keep

    def see(self, board: Board, batch: Any, output: Any) -> None:
        """Take the head entities of a batch."""
        heads, self._heads = self._heads, {}
        if not isinstance(batch, Batch):
            return
        for name, vectors in heads.items():
            pairs = batch if len(vectors) == batch.num_pairs else with_all_cells(batch).batch
            if len(vectors) == pairs.num_pairs > 0:
                known = self._entities.setdefault(name, [])
                known += head_entities(vectors, pairs, board.types)[: _ENTITIES - len(known)]

    def show(self, board: Board) -> None:
        """Keep the slots as they are now: training may go on before they are drawn."""
        self._slots = _slots(board)

    def draw(self, board: Board) -> None:
        """Draw the map."""
        for slots in self._slots:
            points = self._entities.get(slots.name, [])
            figure = map_figure(slots, points)
            show_figure(board, f"{slots.name.replace('.', '/')}/map", figure)

    def end(self, board: Board) -> None:
        """Write the vectors for the projector."""
        clouds = []
        for slots in self._slots or _slots(board):
            points = [p for p in self._entities.get(slots.name, []) if fits(p, slots)]
            rows = [("slot", label, "") for label in slots.labels]
            rows += [(p.type or "entity", _called(board, p), p.document) for p in points]
            vectors = torch.stack([*slots.vectors.float().cpu(), *(p.vector for p in points)])
            clouds.append(PointCloud(slots.name, vectors, ("kind", "name", "document"), rows))
        if clouds:
            write_projector(board.writer.log_dir, clouds)


def _slots(board: Board) -> list[Slots]:
    names = [board.relation_name(relation) for relation in board.relations]
    found = slots_of(board.model, board.types, names)
    return [replace(one, vectors=one.vectors.to("cpu", copy=True)) for one in found]


def _called(board: Board, point: EntityPoint) -> str:
    document = board.examples.documents.get(point.document)
    return f"entity {point.number}" if document is None else document.name(point.number)
