"""The memories of a model: what reads from them, their slots, and what these stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from docre.joint.similarity_memories import SimilarityMemories
from docre.memory.base import MemoryReader
from docre.memory.similarity import SimilarityMemory
from docre.memory.similarity_reads import MemoryRead


@dataclass(frozen=True, eq=False)
class Slots:
    """The slots of one memory.

    Args:
        name: Of the memory.
        vectors: Detached.  # [S, D]
        labels: What each slot stands for; its number where that is for training to find out.
    """

    name: str
    vectors: Tensor
    labels: tuple[str, ...]


def reading_parts(model: nn.Module) -> dict[str, MemoryReader | MemoryRead]:
    """Return everything in a model that reads from a memory, by name."""
    kinds = (MemoryReader, MemoryRead)
    return {short(name): part for name, part in model.named_modules() if isinstance(part, kinds)}


def slots_of(model: nn.Module, types: Sequence[str], relations: Sequence[str]) -> list[Slots]:
    """Return the memories of a model that have slots to show."""
    found = []
    for name, part in model.named_modules():
        if isinstance(part, MemoryReader):
            vectors = part.slot_vectors()
            if vectors is not None:
                found.append(Slots(short(name), vectors, tuple(map(str, range(len(vectors))))))
        elif isinstance(part, SimilarityMemories):
            found.append(_of_classes(f"{short(name)}.entity", part.entity, types))
            found.append(_of_classes(f"{short(name)}.relation", part.relation, relations))
    return found


def memories_read(model: nn.Module) -> list[str]:
    """Return the names of the similarity memories that reads of a model know, in their order."""
    for part in model.modules():
        if isinstance(part, SimilarityMemories):
            both = ("entity", part.reads_entity), ("relation", part.reads_relation)
            return [name for name, read in both if read]
    return []


def short(name: str) -> str:
    """Return the name of a part of a model without what goes without saying.

    Example:
        >>> short("head.memory"), short("network.memory.tokens.reads.0")
        ('memory', 'memory.tokens.0')
    """
    return name.removeprefix("network.").removeprefix("head.").replace(".reads.", ".")


def _of_classes(name: str, memory: SimilarityMemory, classes: Sequence[str]) -> Slots:
    several = memory.slots > 1
    labels = tuple(
        f"{label} {number}" if several else label
        for label in classes
        for number in range(1, memory.slots + 1)
    )
    return Slots(name, memory.matrix.detach(), labels)
