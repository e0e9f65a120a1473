"""The little world behind one document: its people, places, organisations, works and facts.

Part of the facts are ``spoken``: the text may state them. The others stay in the knowledge base,
where distant labels find them though the document does not say so.
"""

from __future__ import annotations

import random

from docre.data.synthetic.names import MEN, WOMEN, Namer
from docre.data.synthetic.things import Fact, Thing, Words, World, date, pick

# what follows the name, what the text calls it afterwards, and what it can do in the world
_ORGANISATIONS: tuple[tuple[str, str, str], ...] = (
    ("University", "university", "school"),
    ("Academy of Arts", "academy", "school"),
    ("College of Engineering", "college", "school"),
    ("School of Music", "school", "school"),
    ("Glass Factory", "factory", "company"),
    ("Shipping Company", "company", "company"),
    ("Trading House", "firm", "company"),
    ("Savings Bank", "bank", "company"),
    ("Steel Group", "group", "company"),
    ("Publishing House", "publisher", "press"),
    ("Press", "press", "press"),
    ("Society of Sciences", "society", "body"),
    ("Workers Union", "union", "body"),
    ("Chess Club", "club", "body"),
    ("Peasants Party", "party", "body"),
    ("Radio Orchestra", "orchestra", "body"),
)
_PREFIXES = ("New", "Port", "Upper", "Lower", "Old")
_WORKS = ("novel", "play", "opera", "poem", "book")
_BARE = {"University", "Press", "Steel Group"}  # names without an article


def make_world(rng: random.Random, namer: Namer, document: int) -> World:
    """Make up the world of one document."""
    world = World(epoch=1760 + int(rng.random() * 150))
    size = rng.random()
    countries, cities = _places(rng, world, namer, document, size)
    people = _people(rng, world, namer, document, size)
    organisations = _organisations(rng, world, namer, document, size)
    _lives(rng, world, people, countries, cities, organisations)
    _businesses(rng, world, people, cities, organisations)
    _works(rng, world, namer, document, people, organisations, size)
    _mark_shy(world)
    return world


def _places(
    rng: random.Random, world: World, namer: Namer, document: int, size: float
) -> tuple[list[int], list[int]]:
    countries = []
    for number in range(1 + (rng.random() < 0.55)):
        short = (namer.word("country", document, number),)
        long = rng.random() < 0.3
        full: Words = ("Republic", "of", *short) if long else short
        countries.append(world.add(Thing("LOC", "country", full, short, "country", long)))
    cities = []
    for number in range(2 + (size > 0.3) + (rng.random() < 0.5) + (rng.random() < 0.3)):
        short = (namer.word("city", document, number),)
        full = (pick(rng, _PREFIXES), *short) if rng.random() < 0.25 else short
        called = "city" if rng.random() < 0.6 else "town"
        city = world.add(Thing("LOC", "city", full, short, called))
        country = pick(rng, countries)
        capital = not any(f[0] == "capital_of" and f[2] == country for f in world.facts)
        capital = capital and rng.random() < 0.4
        relation = "capital_of" if capital else "located_in"
        world.facts.append(Fact(relation, city, country, rng.random() < 0.8))
        cities.append(city)
    return countries, cities


def _people(
    rng: random.Random, world: World, namer: Namer, document: int, size: float
) -> list[int]:
    people: list[int] = []
    married: set[int] = set()
    children: set[int] = set()
    things, facts = world.things, world.facts
    for number in range(1 + (size > 0.15) + (size > 0.4) + (size > 0.7) + (rng.random() < 0.3)):
        tie = rng.random() * 1.3
        other = pick(rng, people) if people else -1
        woman = rng.random() < 0.5
        year = world.epoch + int(rng.random() * 12)
        new = len(things)
        spoken = rng.random() < 0.8
        if other >= 0:
            known = things[other]
            if tie < 0.3 and other not in married:
                woman = known.sort == "man"
                married |= {other, new}
                facts.append(Fact("spouse", *_turn(rng, other, new), spoken))
                year = known.year + int(rng.random() * 6)
            elif tie < 0.5:
                year = known.year + 24 + int(rng.random() * 8)
                children.add(new)
                facts.append(Fact("parent_of", other, new, spoken))
            elif tie < 0.65 and other not in children:
                year = known.year - 24 - int(rng.random() * 8)
                children.add(other)
                facts.append(Fact("parent_of", new, other, spoken))
            elif 0.65 <= tie < 0.85:
                year = known.year + 18 + int(rng.random() * 8)
                facts.append(Fact("student_of", new, other, spoken))
            elif 0.85 <= tie < 1.0:
                year = known.year - 18 - int(rng.random() * 8)
                facts.append(Fact("student_of", other, new, spoken))
        surname = namer.word("person", document, number)
        full = (pick(rng, WOMEN if woman else MEN), surname)
        sort, called = ("woman", "she") if woman else ("man", "he")
        people.append(world.add(Thing("PER", sort, full, (surname,), called, year=year)))
    return people


def _turn(rng: random.Random, first: int, second: int) -> tuple[int, int]:
    return (first, second) if rng.random() < 0.5 else (second, first)


def _organisations(
    rng: random.Random, world: World, namer: Namer, document: int, size: float
) -> list[int]:
    count = (size > 0.1) + (size > 0.35) + (rng.random() < 0.5) + (rng.random() < 0.35)
    kinds = list(_ORGANISATIONS)
    numbers = []
    for number in range(count):
        rest, called, sort = kinds.pop(int(rng.random() * len(kinds)))
        stem = namer.word("organisation", document, number)
        full = (stem, *rest.split())
        thing = Thing("ORG", sort, full, (stem,), called, rest not in _BARE)
        if len(full) > 2:
            thing.acronym = "".join(word[0] for word in full if word != "of")
        thing.year = world.epoch + 26 + int(rng.random() * 20)
        numbers.append(world.add(thing))
    return numbers


def _lives(
    rng: random.Random,
    world: World,
    people: list[int],
    countries: list[int],
    cities: list[int],
    organisations: list[int],
) -> None:
    things, facts = world.things, world.facts
    schools = [o for o in organisations if things[o].sort == "school"]
    bodies = [o for o in organisations if things[o].sort == "body"]
    homeland = {fact.head: fact.tail for fact in facts if fact.tail in countries}
    for person in people:
        year = things[person].year
        native = pick(rng, cities)
        told = rng.random() < 0.65
        facts.append(Fact("born_in", person, native, told))
        if rng.random() < (0.2 if told else 0.6):
            facts.append(Fact("citizen_of", person, homeland[native], rng.random() < 0.8))
        if rng.random() < 0.55:
            last = native if rng.random() < 0.3 else pick(rng, cities)
            facts.append(Fact("died_in", person, last, rng.random() < 0.75))
        if rng.random() < 0.5:
            facts.append(Fact("date_of_birth", person, date(rng, world, year), True))
        if rng.random() < 0.35:
            end = year + 56 + int(rng.random() * 25)
            facts.append(Fact("date_of_death", person, date(rng, world, end), True))
        school = -1
        if schools and rng.random() < 0.6:
            school = pick(rng, schools)
            facts.append(Fact("educated_at", person, school, rng.random() < 0.75))
        if organisations and rng.random() < 0.5:
            same = school >= 0 and rng.random() < 0.4
            work = school if same else pick(rng, organisations)
            facts.append(Fact("works_for", person, work, rng.random() < 0.75))
        if bodies and rng.random() < 0.55:
            facts.append(Fact("member_of", person, pick(rng, bodies), rng.random() < 0.75))


def _businesses(
    rng: random.Random, world: World, people: list[int], cities: list[int], numbers: list[int]
) -> None:
    things, facts = world.things, world.facts
    for number in numbers:
        thing = things[number]
        if rng.random() < 0.8:
            facts.append(Fact("headquartered_in", number, pick(rng, cities), rng.random() < 0.8))
        if rng.random() < 0.5:
            founder = pick(rng, people)
            thing.year = things[founder].year + 26 + int(rng.random() * 20)
            spoken = rng.random() < 0.8
            facts.append(Fact("founded_by", number, founder, spoken))
            job = Fact("works_for", founder, number, spoken)
            if rng.random() < 0.4 and not any(fact[:3] == job[:3] for fact in facts):
                facts.append(job)
        if rng.random() < 0.45:
            facts.append(Fact("founded_on", number, date(rng, world, thing.year), True))
        owners = [o for o in numbers if o != number and things[o].sort in ("company", "press")]
        if owners and thing.sort != "body" and rng.random() < 0.9:
            owner = pick(rng, owners)
            if not any(fact[:3] == ("owned_by", owner, number) for fact in facts):
                facts.append(Fact("owned_by", number, owner, rng.random() < 0.8))


def _works(
    rng: random.Random,
    world: World,
    namer: Namer,
    document: int,
    people: list[int],
    organisations: list[int],
    size: float,
) -> None:
    presses = [o for o in organisations if world.things[o].sort in ("press", "school")]
    facts = world.facts
    for number in range((size > 0.3) + (rng.random() < 0.35)):
        title = namer.title(document, number)
        called = _WORKS[(document + number) % len(_WORKS)]
        work = world.add(Thing("MISC", "work", title, title, called))
        author = pick(rng, people)
        year = world.things[author].year + 24 + int(rng.random() * 28)
        world.things[work].year = year
        facts.append(Fact("author_of", author, work, rng.random() < 0.8))
        if rng.random() < 0.75:
            facts.append(Fact("published_on", work, date(rng, world, year), True))
        if presses and rng.random() < 0.9:
            facts.append(Fact("published_by", work, pick(rng, presses), rng.random() < 0.8))


def _mark_shy(world: World) -> None:
    """Leave shared names to entities all of whose partners have names of their own."""
    partners: dict[int, list[int]] = {}
    for _, head, tail, _ in world.facts:
        partners.setdefault(head, []).append(tail)
        partners.setdefault(tail, []).append(head)
    free: set[int] = set()
    for number, thing in enumerate(world.things):
        others = partners.get(number, [])
        if thing.kind not in ("PER", "ORG") or any(
            other in free or world.things[other].kind == "TIME" for other in others
        ):
            thing.shy = True
        else:
            free.add(number)
