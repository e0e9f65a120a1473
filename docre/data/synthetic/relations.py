"""The relations of the synthetic corpus and what follows from what.

A document is labelled with every relation that its text states and everything that follows from
those by these rules, and with nothing else:

* ``spouse`` holds in both directions, ``child_of`` is ``parent_of`` the other way round;
* the capital of a country is ``located_in`` it, an organisation is ``located_in`` the place of its
  headquarters, and what is located in a place is located wherever that place is;
* who is ``born_in`` a place that is ``located_in`` a country is a ``citizen_of`` that country.

``born_in``, ``died_in`` and ``headquartered_in`` are not carried over to the country.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Triple = tuple[str, int, int]
Support = tuple[int, ...]

SYNTHETIC_RELATIONS: Mapping[str, str] = MappingProxyType(
    {
        "author_of": "the person wrote the work",
        "born_in": "the person was born in the place",
        "capital_of": "the city is the capital of the country",
        "child_of": "the person is a son or daughter of the other person",
        "citizen_of": "the person is a citizen of the country",
        "date_of_birth": "the person was born at the time",
        "date_of_death": "the person died at the time",
        "died_in": "the person died in the place",
        "educated_at": "the person studied at the organisation",
        "founded_by": "the organisation was founded by the person",
        "founded_on": "the organisation was founded at the time",
        "headquartered_in": "the organisation has its head office in the place",
        "located_in": "the place or organisation lies in the place",
        "member_of": "the person is a member of the organisation",
        "owned_by": "the organisation belongs to the other organisation",
        "parent_of": "the person is the mother or father of the other person",
        "published_by": "the work was published by the organisation",
        "published_on": "the work was published at the time",
        "spouse": "the two people are married",
        "student_of": "the person was taught by the other person",
        "works_for": "the person works for the organisation",
    }
)
"""Name and description of each relation of the corpus."""

SIGNATURES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "author_of": (("PER", "MISC"),),
        "born_in": (("PER", "LOC"),),
        "capital_of": (("LOC", "LOC"),),
        "child_of": (("PER", "PER"),),
        "citizen_of": (("PER", "LOC"),),
        "date_of_birth": (("PER", "TIME"),),
        "date_of_death": (("PER", "TIME"),),
        "died_in": (("PER", "LOC"),),
        "educated_at": (("PER", "ORG"),),
        "founded_by": (("ORG", "PER"),),
        "founded_on": (("ORG", "TIME"),),
        "headquartered_in": (("ORG", "LOC"),),
        "located_in": (("LOC", "LOC"), ("ORG", "LOC")),
        "member_of": (("PER", "ORG"),),
        "owned_by": (("ORG", "ORG"),),
        "parent_of": (("PER", "PER"),),
        "published_by": (("MISC", "ORG"),),
        "published_on": (("MISC", "TIME"),),
        "spouse": (("PER", "PER"),),
        "student_of": (("PER", "PER"),),
        "works_for": (("PER", "ORG"),),
    }
)


def close(facts: Mapping[Triple, Support]) -> dict[Triple, Support]:
    """Return the facts with all that follows from them.

    Args:
        facts: Sentences that support each fact. A fact that is stated keeps its own sentences; one
            that follows has those of the facts it follows from.
    """
    closed = dict(facts)
    for (relation, head, tail), support in facts.items():
        if relation == "spouse":
            closed.setdefault(("spouse", tail, head), support)
        elif relation == "parent_of":
            closed.setdefault(("child_of", tail, head), support)
        elif relation in ("capital_of", "headquartered_in"):
            closed.setdefault(("located_in", head, tail), support)
    places: dict[int, list[tuple[int, Support]]] = {}
    for (relation, head, tail), support in closed.items():
        if relation == "located_in":
            places.setdefault(head, []).append((tail, support))
    for inner, around in places.items():
        for place, support in around:  # grows while it is walked: transitive
            for wider, further in places.get(place, ()):
                triple = ("located_in", inner, wider)
                if wider != inner and triple not in closed:
                    closed[triple] = joined = _join(support, further)
                    around.append((wider, joined))
    for (relation, head, tail), support in facts.items():
        if relation == "born_in":
            for country, further in places.get(tail, ()):
                closed.setdefault(("citizen_of", head, country), _join(support, further))
    return closed


def _join(first: Support, second: Support) -> Support:
    return tuple(sorted({*first, *second}))
