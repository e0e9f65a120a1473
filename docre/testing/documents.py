"""Small documents of every kind, as plain numbers: what a piece of one's own is tried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

NUM_RELATIONS = 5
"""Relations that the labels of toy documents are about."""
"""Relations of the toy documents."""


@dataclass(frozen=True, slots=True)
class ToyDocument:
    """A document by its numbers.

    Args:
        name: Its id; what an encoder would make of its tokens depends on nothing else.
        tokens: How many it has.
        entities: For each entity, the tokens its mentions are read at.
        candidates: Its pairs of head and tail; all with ``head != tail``, row-major, if left out.
        labels: Head, tail and relation, which is below :data:`NUM_RELATIONS`.
    """

    name: str
    tokens: int
    entities: tuple[tuple[int, ...], ...] = ()
    candidates: tuple[tuple[int, int], ...] | None = None
    labels: tuple[tuple[int, int, int], ...] = ()

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Its pairs in their order."""
        if self.candidates is not None:
            return self.candidates
        count = range(len(self.entities))
        return tuple((head, tail) for head in count for tail in count if head != tail)

    @property
    def sentences(self) -> tuple[tuple[int, int], ...]:
        """First token and end of its sentences: two, or one of a document that is too short."""
        middle = self.tokens // 2
        if middle < 2:
            return ((0, self.tokens),)
        return ((0, middle), (middle, self.tokens))

    def unlabelled(self) -> ToyDocument:
        """Return the same without labels."""
        return replace(self, labels=())

    def thinned(self) -> ToyDocument:
        """Return the same with every other pair, and without labels."""
        return replace(self, candidates=self.pairs[::2], labels=())

    def reordered(self) -> tuple[ToyDocument, list[int]]:
        """Return the same with its entities in another order, and without labels.

        Returns:
            The document, and for each pair of the old one its place in the new one.
        """
        count = len(self.entities)
        order = [(3 * place + 1) % count for place in range(count)] if count % 3 else []
        order = order or list(reversed(range(count)))
        new = {old: place for place, old in enumerate(order)}
        pairs = sorted((new[head], new[tail]) for head, tail in self.pairs)
        changed = replace(
            self,
            entities=tuple(self.entities[old] for old in order),
            candidates=None if self.candidates is None else tuple(pairs),
            labels=(),
        )
        places = {pair: place for place, pair in enumerate(changed.pairs)}
        return changed, [places[new[head], new[tail]] for head, tail in self.pairs]


LONG = ToyDocument(
    "long",
    11,
    ((1, 6), (3,), (4, 8, 9), (7,)),
    labels=((0, 1, 0), (0, 1, 3), (2, 0, 1), (3, 2, 4), (1, 3, 0)),
)
SHORT = ToyDocument("short", 6, ((1,), (4,)), labels=((1, 0, 2),))
UNRELATED = ToyDocument("nothing holds", 8, ((2,), (3, 6), (5,)))
ONE_PAIR = ToyDocument("one pair", 7, ((1,), (4, 5)), candidates=((1, 0),), labels=((1, 0, 0),))
ONE_ENTITY = ToyDocument("one entity", 5, ((2, 3),))
NO_ENTITY = ToyDocument("no entity", 6)
EMPTY = ToyDocument("empty", 2)  # begin and end, and no word between
ONE_TOKEN = ToyDocument("one token", 1, ((0,), (0,)))

SEVERAL: Sequence[ToyDocument] = (LONG, SHORT, UNRELATED)
EVERY_KIND: Sequence[ToyDocument] = (
    *(EMPTY, LONG, NO_ENTITY, SHORT),
    *(ONE_PAIR, ONE_ENTITY, UNRELATED, ONE_TOKEN),
)
CASES: Mapping[str, Sequence[ToyDocument]] = {
    "several documents": SEVERAL,
    "documents of every kind": EVERY_KIND,
    "an empty document": (EMPTY,),
    "a document without an entity": (NO_ENTITY,),
    "a document with one entity, so no pair": (ONE_ENTITY,),
    "documents without a pair": (NO_ENTITY, EMPTY, ONE_ENTITY),
    "a document with one pair": (ONE_PAIR,),
    "a document of one token": (ONE_TOKEN,),
}
"""Batches of toy documents that every piece has to cope with, by what is special about them."""
"""Batches that a piece has to cope with, by what they have in common."""
