"""From a world to the words of a document, and to what these words state.

A document is a row of paragraphs. Each has one subject, named in its first sentence and then
called by pronoun, description, short name or acronym. A pronoun or description stands only where
nobody else it would fit has been mentioned since the subject was last named; it is not a mention
unless the configuration says so, which is what sets head and tail of a fact in different sentences.
"""

from __future__ import annotations

import random
from functools import cache

from docre.data.synthetic.config import SyntheticConfig
from docre.data.synthetic.templates import DATABLE, LEADS, TAILS, Templates
from docre.data.synthetic.things import Fact, World, date, pick
from docre.data.synthetic.wording import Template, Wording

_WANTED = {
    "{PER}": ("woman", "man"),
    "{LOC}": ("city", "country"),
    "{city}": ("city",),
    "{country}": ("country",),
    "{ORG}": ("school", "company", "press", "body"),
    "{MISC}": ("work",),
}
_SUBJECT_WEIGHT = {"PER": 1.4, "ORG": 1.2, "MISC": 1.8, "LOC": 0.6}


@cache
def templates() -> Templates:
    """Return the templates, cut once."""
    return Templates()


class Draft(Wording):
    """A document while it is written."""

    def __init__(self, rng: random.Random, world: World, config: SyntheticConfig) -> None:
        super().__init__(rng, world, config)
        self._templates = templates()
        self._told: set[Template] = set()  # idle sentences that were used
        self._by_sort: dict[str, list[int]] = {}
        for number, thing in enumerate(world.things):
            self._by_sort.setdefault(thing.sort, []).append(number)
        times = self._by_sort.pop("time", ())
        self._subjects = [n for n in range(len(world.things)) if n not in times]

    def write(self, total: int) -> None:
        """Write so many sentences."""
        while len(self.sentences) < total:
            self._subject = self._next_subject()
            self._named_at = self._rival_at = self._it_rival_at = -1
            room = min(total - len(self.sentences), 3 + int(self.rng.random() * 4))
            for place in range(room):
                facts = self._open(self._subject)
                if not facts and place > 1:
                    break
                idle = self.config.distractors * (2.2 if place == 0 else 0.6)
                if facts and self.rng.random() >= idle:
                    self._state(facts)
                else:
                    self._idle()

    def _next_subject(self) -> int:
        """Choose a subject of which there is much to say."""
        chance, things, best, chosen = self.rng.random, self.world.things, 0.0, -1
        for number in self._subjects:
            score = min(len(self._facts.get(number, ())), 4) + 0.05 + 0.15 * (number in self.spots)
            score *= _SUBJECT_WEIGHT[things[number].kind] * (0.3 + chance())
            if score > best and number != self._subject:
                best, chosen = score, number
        return chosen

    # one sentence

    def _state(self, facts: list[Fact]) -> None:
        rng, subject = self.rng, self._subject
        first = pick(rng, facts)
        if rng.random() < 0.65:
            for second in facts:
                for one, two in ((first, second), (second, first)):
                    if one is not two and self._state_both(one, two):
                        return
        role, other = _seen_from(first, subject)
        self._compose(pick(rng, self._templates.single[role]), other, -1, role)
        self._finish([first])

    def _state_both(self, one: Fact, two: Fact) -> bool:
        role, other = _seen_from(one, self._subject)
        role2, other2 = _seen_from(two, self._subject)
        table = self._templates.same if other == other2 else self._templates.double
        choices = table.get((role, role2))
        if choices is None:
            return False
        self._compose(pick(self.rng, choices), other, other2, "")
        self._finish([one, two])
        return True

    def _idle(self) -> None:
        thing = self.world.things[self._subject]
        choices = self._templates.idle[thing.sort if thing.kind == "LOC" else thing.kind]
        for attempt in range(8):
            template = pick(self.rng, choices) if attempt < 7 else choices[-1]
            if template in self._told and attempt < 7:
                continue
            strict = template[0][0] == "!"
            fillers = self._fillers(template, strict)
            if fillers is not None:
                self._told.add(template)
                if strict:
                    template = (template[0][1:], *template[1:])
                self._compose(template, -1, -1, "", fillers)
                self._finish([])
                return

    def _fillers(self, template: Template, strict: bool) -> dict[str, int] | None:
        """Choose what fills the free places of a template, or return ``None`` if nothing can."""
        fillers: dict[str, int] = {}
        for token in template:
            if token == "{in:TIME}":
                year = self._year()
                fillers[token] = date(self.rng, self.world, year, bare=0.75)
            elif token in _WANTED:
                options = [
                    number
                    for sort in _WANTED[token]
                    for number in self._by_sort.get(sort, ())
                    if number != self._subject and not (strict and self._related(number))
                ]
                known = [number for number in options if number in self.spots]
                if known and self.rng.random() < 0.7:
                    options = known
                if not options:
                    return None
                fillers[token] = pick(self.rng, options)
        return fillers

    def _related(self, number: int) -> bool:
        both = {number, self._subject}
        return any({fact.head, fact.tail} == both for fact in self.world.facts)

    def _year(self) -> int:
        thing = self.world.things[self._subject]
        draw = self.rng.random()
        if thing.kind == "PER":
            return thing.year + 22 + int(draw * 28)
        return (thing.year or self.world.epoch + 10) + 3 + int(draw * 30)

    def _compose(
        self, template: Template, o: int, p: int, role: str, fillers: dict[str, int] | None = None
    ) -> None:
        """Write a sentence, all but its end."""
        rng = self.rng
        words = self._words = []
        self._used = {self._subject, o, p, *(fillers or {}).values()}
        draw = rng.random()
        if template[0][0] == "{":
            if draw < 0.1 and role in DATABLE and template[0] == "{s}":
                self._date(date(rng, self.world, self._year(), bare=0.75))
                words.append(",")
            elif 0.1 <= draw < 0.3:
                words.extend(pick(rng, LEADS))
        for token in template:
            if token[0] != "{":
                if token != "," or words[-1] != ",":
                    words.append(token)
            elif token == "{s}" or token == "{s's}":
                self._name_subject(token == "{s's}", template)
            elif token == "{o}":
                self._name(o)
            elif token == "{p}":
                self._name(p)
            elif token == "{in:o}":
                self._date(o)
            elif token == "{in:p}":
                self._date(p)
            elif fillers is not None and token in fillers:
                (self._date if token == "{in:TIME}" else self._name)(fillers[token])
            else:
                words.append(self._word(token, o))
        if 0.75 <= draw < 0.92:
            words.pop()
            tail = pick(rng, TAILS)
            words.extend(tail[1:] if words[-1] == "," else tail)
            words.append(".")
        elif words[-2] == ",":
            del words[-2]

    def _finish(self, facts: list[Fact]) -> None:
        """End the sentence and write down what it states."""
        words, here = self._words, len(self.sentences)
        words[0] = words[0][0].upper() + words[0][1:]
        self.sentences.append(words)
        support = (here,) if self._named_at == here else (self._named_at, here)
        for fact in facts:
            self._say(fact, support)


def _seen_from(fact: Fact, subject: int) -> tuple[str, int]:
    if fact.head == subject:
        return fact.relation + ">", fact.tail
    return fact.relation + "<", fact.head
