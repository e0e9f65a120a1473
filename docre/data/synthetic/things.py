"""What a small world is made of: things with names, and facts about them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from docre.data.synthetic.names import cut

Item = TypeVar("Item")
Words = tuple[str, ...]

MONTHS = cut(
    "January February March April May June July August September October November December"
)


class Fact(NamedTuple):
    """One fact of the knowledge base; head and tail are places in ``World.things``."""

    relation: str
    head: int
    tail: int
    spoken: bool


@dataclass(slots=True)
class Thing:
    """Somebody or something that a document can mention.

    Args:
        kind: Entity type.
        sort: Finer than the type: ``city``, ``school``, ``woman``.
        full: The whole name.
        short: The name once it is known, itself unique in the corpus.
        called: What a text calls it without a name: ``she``, ``company``.
        article: Whether the full name follows "the".
        year: When it began.
        acronym: A name that others may share; empty if none.
        shy: Whether names that others may share must not become mentions, because some fact would
            then have no unique name on either side.
    """

    kind: str
    sort: str
    full: Words
    short: Words
    called: str
    article: bool = False
    year: int = 0
    acronym: str = ""
    shy: bool = False


@dataclass(slots=True)
class World:
    """Everything one document can speak of."""

    things: list[Thing] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    epoch: int = 0
    years: set[int] = field(default_factory=set)

    def add(self, thing: Thing) -> int:
        """Put a thing into the world and return its number."""
        self.things.append(thing)
        return len(self.things) - 1

    def of_kind(self, kind: str) -> list[int]:
        """Return the numbers of all things of a type."""
        return [number for number, thing in enumerate(self.things) if thing.kind == kind]


def pick(rng: random.Random, items: Sequence[Item]) -> Item:
    """Return one of the items; a good deal faster than ``rng.choice``."""
    return items[int(rng.random() * len(items))]


def date(rng: random.Random, world: World, year: int, bare: float = 0.35) -> int:
    """Add a time of which the document has no other with the same year, and return its number."""
    while year in world.years:
        year += 1
    world.years.add(year)
    full: Words = (str(year),)
    if rng.random() >= bare:
        full = (pick(rng, MONTHS), *full)
        if rng.random() < 0.7:
            full = (str(1 + int(rng.random() * 28)), *full)
    return world.add(Thing("TIME", "time", full, full, "time"))
