"""Documents that were put together by hand: whatever is wrong with them is said."""

from dataclasses import replace

import numpy as np
import pytest

from docre.documents import Document, Entity, Mention, Relation, check
from docre.examining import examine
from tests.toy import document as toy

GOOD = Document.from_text("good", "Ada met Bob. He left.", [[(0, 3)], [(8, 11), (13, 15)]])


def with_mention(**changes):
    first, *others = GOOD.entities
    mention = replace(first.mentions[0], **changes)
    return replace(GOOD, entities=(replace(first, mentions=(mention,)), *others))


BAD = {
    "end": (with_mention(end=9), "span-out-of-range", "entities[0].mentions[0]"),
    "huge": (with_mention(end=10**30), "span-out-of-range", "entities[0].mentions[0]"),
    "reversed": (with_mention(start=2, end=1), "span-out-of-range", "entities[0].mentions[0]"),
    "negative": (with_mention(start=-1), "span-out-of-range", "entities[0].mentions[0]"),
    "sentence": (with_mention(sentence=7), "span-out-of-range", "entities[0].mentions[0]"),
    "float": (with_mention(start=0.0), "wrong-type", "entities[0].mentions[0].start"),
    "letters": (with_mention(start="0"), "wrong-type", "entities[0].mentions[0].start"),
    "no type": (with_mention(type=None), "wrong-type", "entities[0].mentions[0].type"),
    "no mention": (replace(GOOD, entities=(Entity(()),)), "empty-entity", "entities[0].mentions"),
    "a tuple": (replace(GOOD, entities=((0, 0, 1),)), "wrong-type", "entities[0]"),
    "span": (replace(GOOD, entities=(Entity(((0, 0, 1),)),)), "wrong-type",
             "entities[0].mentions[0]"),
    "no entities": (replace(GOOD, entities=None), "wrong-type", "entities"),
    "no id": (replace(GOOD, id=""), "empty-id", "id"),
    "number": (replace(GOOD, id=7), "wrong-type", "id"),
    "half a character": (replace(GOOD, sentences=(("\ud800",),), entities=(), offsets=None),
                         "wrong-type", "sentences[0][0]"),
    "a word of None": (Document("a", ((None,),)), "wrong-type", "sentences[0][0]"),
    "words of a text": (Document("a", ("abc",)), "wrong-type", "sentences[0]"),
    "candidate": (replace(GOOD, candidates=((0, 9),)), "bad-candidate", "candidates"),
    "candidates": (replace(GOOD, candidates=(3,)), "wrong-type", "candidates[0]"),
    "offsets of others": (replace(GOOD, offsets=((),)), "wrong-type", "offsets"),
    "too few offsets": (replace(GOOD, offsets=(*GOOD.offsets[:1], ())), "wrong-type", "offsets[1]"),
    "offsets behind the text": (replace(GOOD, text="Ada"), "wrong-type", "offsets[0][1]"),
    "offsets without a text": (replace(GOOD, text=None), "wrong-type", "offsets[0][0]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(name):
    document, code, field = BAD[name]
    problems = examine(document)
    assert (code, field) in [(one.code, one.field) for one in problems]
    assert all(one.document == document.id or document.id == 7 for one in problems)


def test_good_documents_are_good():
    assert examine(GOOD) == []
    assert examine(with_mention(start=np.int64(0))) == []
    for seed in range(50):
        assert examine(toy(seed)) == check(toy(seed)) == []


def test_relations_are_not_looked_at():
    assert examine(replace(GOOD, relations=(Relation(0, 9, "r"), Relation(0, 0, None)))) == []
    assert examine(replace(GOOD, entities=(), relations=(Relation(0, 1, "r"),))) == []


def test_a_mention_needs_no_text():
    bare = Document("a", (("b",), ()), (Entity((Mention(0, 0, 1),)),))
    assert examine(bare) == []
