"""Documents that are hard to show, and predictions for them."""

from __future__ import annotations

import random

from docre.documents import Document, Entity, Mention, Relation

NASTY = (
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 2'>",
    "<!-- <b> & &amp; \"quoted\" 'so' \\ `${window.broken = 3}`",
    "$title $data ${data}",
    "line\u2028and\u2029paragraph",
    "مرحبا بالعالم",
    "\u202eoverride",
    "family 👩‍👩‍👧 flag 🇩🇪",
    "nul\u0000 bell\u0007 ]]> \ufeff",
)


def entity(kind, *spans):
    return Entity(tuple(Mention(*span, type=kind) for span in spans), type=kind)


def nasty() -> Document:
    """Return a document whose every text would break a careless page."""
    words = tuple((text, "met", text) for text in NASTY)
    entities = tuple(
        Entity((Mention(s, 0, 1, text, text), Mention(s, 2, 3)), type=text, id=text)
        for s, text in enumerate(NASTY)
    )
    relations = tuple(Relation(s, s + 1, text, (s,)) for s, text in enumerate(NASTY[:-1]))
    return Document(" ".join(NASTY), words, entities, relations)


def overlapping() -> Document:
    """Return a document with a mention in a mention, crossing ones, and one of two entities."""
    words = ["The", "University", "of", "London", "and", "Paris", "of", "France", "and", "more"]
    return Document(
        "overlapping",
        (tuple(words), ("It", "is", "old")),
        (
            entity("ORG", (0, 1, 4), (1, 0, 1)),
            entity("LOC", (0, 3, 4)),
            entity("LOC", (0, 3, 6)),
            entity("MISC", (0, 5, 8)),
            entity("LOC", (0, 7, 8)),
            entity("TIME", (0, 7, 8)),
        ),
        (Relation(0, 1, "in", (0,)), Relation(3, 4, "in"), Relation(0, 4, "in", (0, 1))),
    )


def empty() -> list[Document]:
    """Return documents without sentences, entities, mentions or labels."""
    return [
        Document("no sentences", (), (), ()),
        Document("no words", ((), ()), (), ()),
        Document("no mentions", (("a",),), (Entity(()), Entity((), "PER", "Q1")), ()),
        Document("no labels", (("a", "b"),), (entity("X", (0, 0, 1)), entity("", (0, 1, 2)))),
    ]


def noisy(documents, relations, seed=0):
    """Predict half of the labels and as many others, some twice and some of no entity."""
    chance = random.Random(seed)
    predicted = {}
    for one in documents:
        labels = [r for r in one.relations or () if chance.random() < 0.5]
        size = len(one.entities) + 1
        others = [
            Relation(
                chance.randrange(size),
                chance.randrange(size),
                chance.choice(relations),
                (0,),
                chance.random(),
            )
            for _ in range(chance.randint(0, 4))
        ]
        listed = [*labels, *others, *others[:1]]
        chance.shuffle(listed)
        predicted[one.id] = listed
    return predicted
