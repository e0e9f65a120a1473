"""Which documents serve as examples: the same ones in every epoch and every run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from docre.documents import Document

Kept = TypeVar("Kept")


class ShownDocuments:
    """The first labelled documents of a file, of those that a validation sees.

    Which ones these are is known when the validation is over. It does not depend on the order of
    batches. Where no document has labels the first ones with entities are taken.

    Args:
        documents: The development split, in the order of its file.
        count: How many to show.

    Attributes:
        documents: All of them, by id.
        names: Ids of those to show, in the order of the file.

    Example:
        >>> made = [Document.from_words(name, [["Ada"]], [[(0, 0, 1)]]) for name in "abcd"]
        >>> shown = ShownDocuments(made, 2)
        >>> for batch in ("db", "c"):
        ...     shown.see(batch)
        >>> shown.names
        ['b', 'c']
    """

    def __init__(self, documents: Collection[Document] = (), count: int = 0) -> None:
        self.documents: Mapping[str, Document] = {one.id: one for one in documents}
        labelled = [one.id for one in documents if one.relations and one.num_pairs]
        usable = labelled or [one.id for one in documents if one.entities]
        self._place = {name: number for number, name in enumerate(usable)}
        self._count = count
        self.names: list[str] = []

    def see(self, names: Iterable[str]) -> None:
        """Take notice of the documents of a batch."""
        usable = {*self.names, *(name for name in names if name in self._place)}
        self.names = sorted(usable, key=self._place.__getitem__)[: self._count]

    def only(self, kept: Mapping[str, Kept]) -> dict[str, Kept]:
        """Return what was kept of the documents to show, in their order, and nothing of others."""
        return {name: kept[name] for name in self.names if name in kept}
