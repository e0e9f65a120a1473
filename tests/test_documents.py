"""The document schema: building, checking and mending."""

from dataclasses import replace

import numpy as np
import pytest

from docre.documents import Document, Entity, Mention, Relation, check
from docre.errors import DataError
from docre.repair import repair

SENTENCES = [["Mia", "Tarn", "lives", "in", "Arle", "."], [], ["She", "likes", "it", "."]]


def valid():
    return Document.from_words(
        "doc",
        SENTENCES,
        [[Mention(0, 0, 2, "PER"), Mention(2, 0, 1, "PER")], [(0, 4, 5)]],
        [Relation(0, 1, "lives_in", (0,))],
    )


def codes(document, **known):
    return [(problem.code, problem.field) for problem in check(document, **known)]


def test_from_words():
    document = valid()
    assert check(document) == []
    assert document.num_words == 10
    assert document.num_pairs == 2
    assert list(document.pairs()) == [(0, 1), (1, 0)]
    assert document.name(0) == "Mia Tarn"
    assert document.char_span(document.entities[0].mentions[0]) is None


def test_from_text_finds_words_and_sentences_around_the_mentions():
    text = "Dr. Mia Tarn met A. Bo in Arle.\nalpha-beta(3H)x helped.  Then she left!"
    spans = {
        "mia": [(4, 12)],
        "bo": [(17, 22)],
        "x": [(text.index("beta"), text.index("x helped"))],
    }
    document = Document.from_text("t", text, spans, [(0, 1, "met")], types=["PER", "PER", "CHEM"])
    assert [len(words) for words in document.sentences] == [11, 9, 4]
    for entity, (start, end) in zip(document.entities, [s[0] for s in spans.values()], strict=True):
        mention = entity.mentions[0]
        assert document.char_span(mention) == (start, end)
        assert document.surface(mention) == text[start:end] == mention.surface
    assert [entity.id for entity in document.entities] == ["mia", "bo", "x"]
    assert document.relations == (Relation(0, 1, "met"),)


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ((0, 0), "span-out-of-range"),
        ((3, 99), "span-out-of-range"),
        ((-1, 2), "span-out-of-range"),
        ((3, 4), "empty-mention"),
    ],
)
def test_from_text_refuses_bad_spans(span, code):
    with pytest.raises(DataError) as caught:
        Document.from_text("t", "Mia lives.", [[span]])
    assert [(p.code, p.document, p.field) for p in caught.value.problems] == [
        (code, "t", "entities[0].mentions[0]")
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": ""}, ("empty-id", "id")),
        ({"entities": (Entity(()), *valid().entities)}, ("empty-entity", "entities[0].mentions")),
        ({"entities": (*valid().entities, Entity((Mention(3, 0, 1),)))},
         ("span-out-of-range", "entities[2].mentions[0]")),
        ({"entities": (*valid().entities, Entity((Mention(0, 5, 7),)))},
         ("span-out-of-range", "entities[2].mentions[0]")),
        ({"entities": (*valid().entities, Entity((Mention(1, 0, 1),)))},
         ("span-out-of-range", "entities[2].mentions[0]")),
        ({"entities": (*valid().entities, Entity((Mention(0, 2, 2),)))},
         ("span-out-of-range", "entities[2].mentions[0]")),
        ({"relations": (Relation(0, 2, "r"),)}, ("entity-out-of-range", "relations[0].tail")),
        ({"relations": (Relation(-1, 1, "r"),)}, ("entity-out-of-range", "relations[0].head")),
        ({"relations": (Relation(1, 1, "r"),)}, ("self-relation", "relations[0].head")),
        ({"relations": (Relation(0, 1, "r"), Relation(0, 1, "r", (0,)))},
         ("duplicate-relation", "relations[1]")),
        ({"relations": (Relation(0, 1, "r", (0, 3)),)},
         ("evidence-out-of-range", "relations[0].evidence")),
        ({"candidates": ((0, 2),), "relations": ()}, ("bad-candidate", "candidates")),
        ({"candidates": ((1, 0), (0, 1)), "relations": ()}, ("bad-candidate", "candidates")),
        ({"candidates": ((1, 0),)}, ("not-a-candidate", "relations[0]")),
    ],
)  # fmt: skip
def test_check_names_the_place(change, expected):
    broken = replace(valid(), **change)
    assert codes(broken) == [expected]
    assert check(broken)[0].document == broken.id
    mended, problems = repair(broken)
    assert [(p.code, p.action) for p in problems] == [(expected[0], "fixed")]
    if broken.id:
        assert check(mended) == []


def test_check_against_known_relations_and_types():
    found = codes(valid(), relations={"other"}, types={"LOC"})
    assert found == [
        ("unknown-type", "entities[0].type"),
        ("unknown-type", "entities[0].mentions[0].type"),
        ("unknown-type", "entities[0].mentions[1].type"),
        ("unknown-relation", "relations[0].relation"),
    ]  # the second entity has no type, which is no wrong one
    mended, _ = repair(valid(), relations={"other"}, types={"LOC"})
    assert mended.relations == ()
    assert mended.entities[0].type == ""
    assert codes(mended, relations={"other"}, types={"LOC"}) == []


def test_repair_renumbers_what_is_left():
    broken = replace(
        valid(),
        entities=(Entity((Mention(9, 0, 1),)), *valid().entities),
        relations=(Relation(1, 2, "a", (0, 9)), Relation(0, 1, "b"), Relation(2, 1, "c")),
    )
    mended, problems = repair(broken)
    assert mended.entities == valid().entities
    assert mended.relations == (Relation(0, 1, "a", (0,)), Relation(1, 0, "c"))
    assert {problem.code for problem in problems} == {"span-out-of-range", "evidence-out-of-range"}


def test_unlabelled_is_not_the_same_as_empty():
    assert Document.from_words("a", [["x"]]).relations is None
    assert Document.from_words("a", [["x"]], relations=[]).relations == ()
    assert Document.from_words("a", []).num_pairs == 0


def test_error_lists_the_first_problems_and_counts_all():
    many = [Relation(0, 0, "r")] * 40
    with pytest.raises(DataError) as caught:
        Document.from_words("doc", SENTENCES, [[(0, 0, 1)]], many)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("79 problems (self-relation: 40, duplicate-relation: 39)")
    assert "document 'doc', relations[0].head: head and tail are both entity 0" in lines[1]
    assert lines[-1].strip() == "... and 59 more"


def refused(make, *arguments, **named):
    with pytest.raises(DataError) as caught:
        make("d", *arguments, **named)
    assert {(p.code, p.document) for p in caught.value.problems} == {("wrong-type", "d")}
    return [p.field for p in caught.value.problems]


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        (["Ada left"], ["sentences"]),
        ([["Ada left"]], ["sentences[0]"]),
        ([[["Ada", 7]]], ["sentences[0][1]"]),
        ([SENTENCES, [(0, 0, 1)]], [f"entities[0].mentions[{k}]" for k in range(3)]),
        ([SENTENCES, [[(0, 0)]]], ["entities[0].mentions[0]"]),
        ([SENTENCES, [[(0, 0.0, True)]]],
         ["entities[0].mentions[0].start", "entities[0].mentions[0].end"]),
        ([SENTENCES, [Entity((Mention(0, "0", 1),))]], ["entities[0].mentions[0].start"]),
        ([SENTENCES, [[Mention(0, 0, 1, None)]]], ["entities[0].mentions[0].type"]),
        ([SENTENCES, {"a": [(0, 0, 1)]}], ["entities"]),
        ([SENTENCES, 7], ["entities"]),
        ([SENTENCES, (), [("0", 1, "r")]], ["relations[0].head"]),
        ([SENTENCES, (), [(0, 1, None)]], ["relations[0].relation"]),
        ([SENTENCES, (), [(0, 1)]], ["relations[0]"]),
        ([SENTENCES, (), [Relation(0, 1, "r", 3, "x")]],
         ["relations[0].evidence", "relations[0].score"]),
    ],
)  # fmt: skip
def test_from_words_names_what_has_the_wrong_type(arguments, places):
    assert refused(Document.from_words, *arguments) == places


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        ({"text": None}, ["text"]),
        ({"entities": {"a": "Ada"}}, ["entities[0]"]),
        ({"entities": [(0, 3)]}, ["entities[0].mentions[0]", "entities[0].mentions[1]"]),
        ({"entities": [[("0", 3.0)]]},
         ["entities[0].mentions[0].start", "entities[0].mentions[0].end"]),
        ({"entities": [[(0, 3)]], "types": "P"}, ["types"]),
        ({"entities": [[(0, 3)]], "types": [None]}, ["types[0]"]),
        ({"entities": {"a": [(0, 3)]}, "relations": [("b", "a", "r")]}, ["relations[0].head"]),
        ({"entities": [[(0, 3)]], "relations": [("0", 0, "r")]}, ["relations[0].head"]),
    ],
)  # fmt: skip
def test_from_text_names_what_has_the_wrong_type(arguments, places):
    assert refused(Document.from_text, **{"text": "Ada left.", **arguments}) == places


def test_relations_may_name_entities_by_key():
    spans = {"ada": [(0, 3)], "london": [(12, 18)]}
    made = Document.from_text(
        "d", "Ada left in London.", spans, [("ada", "london", "in"), ("london", 0, "of")]
    )
    assert made.relations == (Relation(0, 1, "in"), Relation(1, 0, "of"))


def test_numbers_of_numpy_are_numbers():
    one = np.int64(1)
    made = Document.from_words("d", [["a", "b"]], [[(0, 0, one)], [(0, one, 2)]], [(0, one, "r")])
    assert made.relations == (Relation(0, 1, "r"),)
    assert type(made.entities[1].mentions[0].start) is int
