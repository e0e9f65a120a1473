"""What the slots of memories are read for: how much of a read is theirs, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from docre.dashboard.drawing import show_figure
from docre.dashboard.part import Board, DashboardPart, Hook
from docre.dashboard.slots import memories_read, reading_parts, slots_of
from docre.dashboard.usage_figure import usage_figure
from docre.memory.base import MemoryReader
from docre.memory.similarity_reads import InverseRead, MemoryRead

Floats = NDArray[np.float64]
# Reads are looked at in so many batches of a validation.
_BATCHES = 20


class MemorySlots(DashboardPart):
    """Shows how much is read from each slot of each memory.

    ``share`` is what of a read comes from the memory at all, ``slots_in_use`` how many slots that
    is spread over. Of inverse reads, in which all slots spread the same over a document, it shows
    how much of that falls on one input. Of reads that say nothing about their slots it shows
    nothing.
    """

    def __init__(self) -> None:
        self._parts: dict[str, MemoryReader | MemoryRead] = {}
        self._sums: dict[str, list[Tensor]] = {}
        self._seen: dict[str, int] = {}

    def forget(self) -> None:
        """Forget all reads."""
        self._sums, self._seen = {}, {}

    def watch(self, board: Board) -> list[Hook]:
        """Look at what memories are read with."""
        self._parts = reading_parts(board.model)
        parts = self._parts.items()
        return [part.register_forward_hook(self._looking(name)) for name, part in parts]

    def _looking(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def look(part: nn.Module, given: tuple[Any, ...], _: Any) -> None:
            seen = self._seen.get(name, 0)
            if seen >= _BATCHES or not given[0].numel():
                return
            rows = _usage(part, given)
            if rows:
                known = self._sums.get(name)
                added = rows if known is None else [a + b for a, b in zip(known, rows, strict=True)]
                self._sums[name], self._seen[name] = added, seen + 1

        return look

    def show(self, board: Board) -> None:
        """Log shares, numbers of slots in use and how reads are distributed."""
        for one in self._of_memories(board):
            if not one.inverse:
                board.writer.add_scalar(f"{one.tag}/share", one.usage.sum(), board.step)
                used = slots_in_use(one.usage)
                board.writer.add_scalar(f"{one.tag}/slots_in_use", used, board.step)
            what = "focus" if one.inverse else "usage"
            board.writer.add_histogram(f"{one.tag}/{what}", one.usage, board.step)

    def draw(self, board: Board) -> None:
        """Draw the most used slots."""
        for one in self._of_memories(board):
            said = "of a slot's mass, what falls on one input"
            said = said if one.inverse else "what is read from a slot"
            figure = usage_figure(one.usage, f"{one.name}: {said}", one.labels)
            # another name: TensorBoard shows one kind of thing under each
            show_figure(board, f"{one.tag}/slots", figure)

    def _of_memories(self, board: Board) -> Iterator[_Usage]:
        if not self._sums:
            return
        names = [board.relation_name(relation) for relation in board.relations]
        slots = slots_of(board.model, board.types, names)
        labels = {one.name: one.labels for one in slots}
        read = memories_read(board.model)
        for name, sums in self._sums.items():
            part = self._parts[name]
            for number, total in enumerate(sums):
                usage = (total / self._seen[name]).cpu().double().numpy()
                if isinstance(part, MemoryReader):
                    yield _Usage(name, usage, labels.get(name, ()), inverse=False)
                    continue
                memory = read[number] if len(read) == len(sums) else str(number)
                known = labels.get(f"memory.{memory}", ())
                yield _Usage(f"{name}.{memory}", usage, known, isinstance(part, InverseRead))


class _Usage(NamedTuple):
    name: str
    usage: Floats  # [S]
    labels: Sequence[str]
    inverse: bool

    @property
    def tag(self) -> str:
        return self.name.replace(".", "/")


def _usage(part: nn.Module, given: tuple[Any, ...]) -> list[Tensor]:
    if isinstance(part, MemoryReader):
        rows = part.slot_usage(given[0], given[1])
        return [] if rows is None else [rows.mean(0)]
    assert isinstance(part, MemoryRead)
    return part.slot_usage(*given)


def slots_in_use(usage: Floats) -> float:
    """Return how many slots are read from, as the exponential of the entropy of their shares.

    Args:
        usage: How much is read from each slot.  # [S]

    Example:
        >>> round(slots_in_use(np.array([0.5, 0.5, 0.0])), 6)
        2.0
    """
    total = usage.sum()
    if total <= 0:
        return 0.0
    shares = usage[usage > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
