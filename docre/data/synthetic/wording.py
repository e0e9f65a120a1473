"""The words for a thing: its name, a pronoun where that is clear, what else is said in passing."""

from __future__ import annotations

import random

from docre.data.synthetic.config import SyntheticConfig
from docre.data.synthetic.names import cut
from docre.data.synthetic.relations import Support, Triple
from docre.data.synthetic.things import Fact, Thing, World, pick

Template = tuple[str, ...]
Spot = tuple[int, int, int]

TRADES = cut(
    "painter chemist sailor lawyer teacher baker singer doctor engineer pilot farmer printer "
    "sculptor journalist surveyor gardener mathematician weaver photographer clerk"
)
_RELATIVES = {
    "{own-son}": ("daughter", "son"),
    "{son}": ("daughter", "son"),
    "{own-mother}": ("mother", "father"),
    "{mother}": ("mother", "father"),
    "{wife}": ("wife", "husband"),
}


class Wording:
    """The sentences so far, where they mention what, and how to name things next.

    ``spots`` has the mentions of each thing. ``stated`` has the facts that the text states, each
    with the sentences that are needed: the one that states it and, if that has only a pronoun, the
    one that last named the subject.

    Args:
        rng: Source of chance of this document.
        world: What it can speak of.
        config: How it speaks.
    """

    def __init__(self, rng: random.Random, world: World, config: SyntheticConfig) -> None:
        self.rng = rng
        self.world = world
        self.config = config
        self.sentences: list[list[str]] = []
        self.spots: dict[int, list[Spot]] = {}
        self.stated: dict[Triple, Support] = {}
        self._facts: dict[int, list[Fact]] = {}
        for fact in world.facts:
            if fact.spoken:
                self._facts.setdefault(fact.head, []).append(fact)
                self._facts.setdefault(fact.tail, []).append(fact)
        self._words: list[str] = []  # of the sentence that is being written
        self._used: set[int] = set()  # things in that sentence
        self._acronyms: set[int] = set()  # things whose acronym has been introduced
        self._subject = -1
        self._named_at = -1  # sentence that last named the subject
        self._rival_at = -1  # sentence that last named another "she", or another "company"
        self._it_rival_at = -1  # sentence that last named another "it"

    def _open(self, number: int) -> list[Fact]:
        """Return what is still to be said about a thing."""
        return self._facts.get(number, [])

    def _say(self, fact: Fact, support: Support) -> None:
        self.stated[fact[:3]] = support
        self._facts[fact.head].remove(fact)
        self._facts[fact.tail].remove(fact)

    def _put(self, number: int, words: tuple[str, ...]) -> None:
        start = len(self._words)
        self._words.extend(words)
        self._mark(number, start)

    def _mark(self, number: int, start: int) -> None:
        spot = (len(self.sentences), start, len(self._words))
        self.spots.setdefault(number, []).append(spot)

    def _date(self, number: int) -> None:
        words = self.world.things[number].full
        self._words.append("on" if len(words) == 3 else "in")
        self._put(number, words)

    def _word(self, token: str, o: int) -> str:
        subject = self.world.things[self._subject]
        if token == "{his}":
            return "her" if subject.sort == "woman" else "his"
        who = subject if token.startswith("{own") else self.world.things[o]
        return _RELATIVES[token][who.sort == "man"]

    def _name_subject(self, possessive: bool, template: Template) -> None:
        rng, here, number = self.rng, len(self.sentences), self._subject
        thing, words = self.world.things[number], self._words
        clear = self._named_at >= 0 and self._rival_at < self._named_at
        if clear and rng.random() < self.config.pronouns:
            start = len(words)
            words.extend(self._pronoun(thing, possessive, opening=template[0][:2] == "{s"))
            if possessive:
                if words[-1] == thing.called:
                    words.append("'s")
            elif not thing.shy and rng.random() < self.config.annotated_pronouns:
                self._mark(number, start)
                self._named_at = here
            return
        first = number not in self.spots
        self._plain_name(number)
        self._named_at = here
        if possessive:
            words.append("'s")
        elif first and thing.kind == "PER" and template[0] == "{s}" and template[1] != ",":
            words.extend((",", *_a(pick(rng, TRADES)), ",") if rng.random() < 0.4 else ())

    def _pronoun(self, thing: Thing, possessive: bool, opening: bool) -> tuple[str, ...]:
        if thing.kind == "PER":
            return ({"she": "her", "he": "his"}[thing.called] if possessive else thing.called,)
        if opening and self._it_rival_at < self._named_at and self.rng.random() < 0.3:
            return ("its" if possessive else "it",)
        return ("the", thing.called)

    def _name(self, number: int) -> None:
        """Name something that is not the subject, perhaps with a word about it."""
        thing, words, rng, here = (
            self.world.things[number],
            self._words,
            self.rng,
            len(self.sentences),
        )
        if thing.kind == "PER" and number not in self.spots and rng.random() < 0.25:
            words.extend(("the", pick(rng, TRADES)))
        self._plain_name(number)
        subject = self.world.things[self._subject]
        if thing.called == subject.called:
            self._rival_at = here
        if thing.kind != "PER":
            self._it_rival_at = here
        if thing.sort == "city" or thing.kind == "ORG":
            self._add_place(number, thing)

    def _add_place(self, number: int, thing: Thing) -> None:
        """Say where a place or an organisation lies, in passing."""
        if self.rng.random() > 0.27:
            return
        for fact in self._open(number):
            relation, head, tail, _ = fact
            if head != number or tail in self._used:
                continue
            if relation == "located_in":
                words: Template = (",", "a", thing.called, "in")
            elif relation == "capital_of":
                words = (",", "the", "capital", "of")
            elif relation == "headquartered_in" and self.rng.random() < 0.6:
                words = (",", "headquartered", "in")
            else:
                continue
            self._used.add(tail)
            self._words.extend(words)
            self._plain_name(tail)
            self._words.append(",")
            self._say(fact, (len(self.sentences),))
            return

    def _plain_name(self, number: int) -> None:
        thing, rng, words = self.world.things[number], self.rng, self._words
        self._used.add(number)
        if number in self._acronyms and rng.random() < 0.4:
            self._put(number, (thing.acronym,))
            return
        known = number in self.spots
        if known and rng.random() < 0.6:
            self._put(number, thing.short)
            return
        if thing.article:
            words.append("the")
        self._put(number, thing.full)
        if not known and thing.acronym and not thing.shy and rng.random() < 0.5:
            words.append("(")
            self._put(number, (thing.acronym,))
            words.append(")")
            self._acronyms.add(number)


def _a(noun: str) -> tuple[str, str]:
    return ("an" if noun[0] in "aeiou" else "a"), noun
