"""Marked spans become entities of a document, whatever its words are."""

from dataclasses import replace
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.documents import Document, Relation, check
from docre.errors import DataError
from docre.pipeline.finders.marked_spans import MarkedSpan, with_entities

TEXT = "Mia Tarn met the U.S. Army in Arle.\nTarn-based 10km runs, she said. Arle's  mayor left."


def at(text, name, kind="X", score=1.0, nth=0):
    start = -1
    for _ in range(nth + 1):
        start = text.index(name, start + 1)
    return MarkedSpan(start, start + len(name), kind, score)


def surfaces(document):
    return [[document.surface(m) for m in entity.mentions] for entity in document.entities]


def test_mentions_of_a_raw_text_are_exact():
    document = Document.from_text("t", TEXT, extra={"title": "kept"})
    assert [words[-1] for words in document.sentences] == [
        ".",
        ".",
        ".",
        ".",
    ]  # one within U.S. Army
    marked = [
        at(TEXT, "Tarn", "PER", nth=1),
        at(TEXT, "Mia Tarn", "PER"),
        at(TEXT, "the U.S. Army", "ORG"),
        at(TEXT, "10", "NUM"),
        at(TEXT, "Arle", "LOC"),
        at(TEXT, " Arle's  ", "LOC"),
    ]
    found = with_entities(document, marked)
    assert surfaces(found) == [["Mia Tarn", "Tarn"], ["the U.S. Army"], ["Arle", "Arle's"], ["10"]]
    assert [entity.type for entity in found.entities] == ["PER", "ORG", "LOC", "NUM"]
    assert [m.surface for e in found.entities for m in e.mentions] == [*chain(*surfaces(found))]
    assert (found.id, found.text, found.extra) == ("t", TEXT, {"title": "kept"})
    assert len(found.sentences) == 3
    assert "km" in found.sentences[1]
    assert check(found) == []


def test_given_words_stay():
    words = [["Mia", "Tarn", "met"], [], ["Tarn-based", "Arle", "."], ["U.S."], ["Army", "left"]]
    document = Document.from_words("w", words, extra={"k": 1})
    text, offsets = document.readable()
    assert text == "Mia Tarn met Tarn-based Arle . U.S. Army left"
    assert [[text[a:b] for a, b in sentence] for sentence in offsets] == words
    found = with_entities(
        document,
        [
            at(text, "Mia Tarn", "PER"),
            at(text, "Tarn", "PER", nth=1),  # a part of a word stands for the word
            at(text, "U.S. Army", "ORG"),  # and a mention ends with its sentence
        ],
    )
    assert surfaces(found) == [["Mia Tarn"], ["Tarn-based"], ["U.S."]]
    assert replace(found, entities=()) == replace(document, relations=None)
    assert check(found) == []


def test_what_a_document_had_is_replaced():
    document = Document.from_words(
        "w", [["Mia", "Tarn"]], [[(0, 0, 1)], [(0, 1, 2)]], [(0, 1, "r")]
    )
    document = replace(document, candidates=((0, 1),))
    found = with_entities(document, [MarkedSpan(0, 8, "PER")])
    assert surfaces(found) == [["Mia Tarn"]]
    assert found.relations is None
    assert found.candidates is None


@pytest.mark.parametrize(
    ("marked", "kept"),
    [
        ([(0, 3, "A"), (0, 8, "B")], [("Mia Tarn", "B")]),
        ([(0, 8, "A"), (4, 12, "B")], [("Mia Tarn", "A")]),
        ([(0, 3, "A"), (4, 8, "B"), (4, 12, "C")], [("Mia", "A"), ("Tarn met", "C")]),
        ([(0, 3, "A", 0.5), (0, 3, "B", 0.9)], [("Mia", "B")]),
        ([(0, 3, "B"), (0, 3, "A")], [("Mia", "A")]),
        ([(0, 3, "A"), (0, 4, "A")], [("Mia", "A")]),
        ([(9, 12, "A"), (0, 3, "A")], [("Mia", "A"), ("met", "A")]),
    ],
)
def test_of_overlapping_spans_the_longest_is_kept(marked, kept):
    for document in (Document.from_text("t", TEXT), Document.from_words("w", [TEXT.split()])):
        found = with_entities(document, [MarkedSpan(*span) for span in marked])
        assert [(m.surface, e.type) for e in found.entities for m in e.mentions] == kept


def test_clusters_join_named_mentions_only():
    document = Document.from_text("t", "The Arle FC won. Its fans from Arle said the club's he.")
    text = document.text
    marked = [at(text, "Arle FC", "ORG"), at(text, "club", "ORG"), at(text, "Arle", "LOC", nth=1)]
    clusters = [[at(text, name) for name in ("The Arle FC", "Its", "the club's", "Arle")]]
    spans = [[(one.start, one.end) for one in cluster] for cluster in clusters]
    assert surfaces(with_entities(document, marked, spans)) == [["Arle FC", "club"], ["Arle"]]
    assert surfaces(with_entities(document, marked)) == [["Arle FC"], ["Arle"], ["club"]]


@pytest.mark.parametrize("text", ["", " \n ", "Mia."])
def test_a_span_without_words_is_an_error(text):
    for document in (Document.from_text("t", text), Document.from_words("t", [text.split()])):
        assert with_entities(document, []).entities == ()
        with pytest.raises(DataError, match="document 't', entities: the finder marked"):
            with_entities(document, [MarkedSpan(7, 9, "X")])


PIECES = st.sampled_from(
    ["Mia", "U.S.", " ", "  ", "\n", ". ", "é", "東京", "x-y", "\u0301", "😀", ")"]
)


@given(st.lists(PIECES, max_size=14).map("".join), st.data())
def test_mentions_are_what_was_marked(text, data):
    edges = data.draw(st.sets(st.integers(0, len(text)), max_size=6).map(sorted))
    spans = [(a, b) for a, b in pairwise(edges) if text[a:b].strip()]
    spans = data.draw(st.permutations(spans))
    found = with_entities(Document.from_text("t", text), [MarkedSpan(a, b, "X") for a, b in spans])
    assert check(found) == []
    mentions = [m for entity in found.entities for m in entity.mentions]
    trimmed = [(b - len(text[a:b].lstrip()), a + len(text[a:b].rstrip())) for a, b in sorted(spans)]
    assert sorted(found.char_span(m) for m in mentions) == trimmed
    # words and sentences are those of a document built with these mentions
    built = Document.from_text("t", text, [[span] for span in trimmed])
    assert (found.sentences, found.offsets) == (built.sentences, built.offsets)
    assert with_entities(found, [MarkedSpan(a, b, "X") for a, b in spans]) == found


@given(
    st.lists(st.lists(st.sampled_from(["Mia", "", "U.S.", "a b", "東京"]), max_size=4), max_size=4),
    st.data(),
)
def test_given_words_cover_what_was_marked(sentences, data):
    document = Document.from_words("w", sentences)
    text, offsets = document.readable()
    words = {
        (s, k): place for s, sentence in enumerate(offsets) for k, place in enumerate(sentence)
    }

    def touched(start, end):
        return {key for key, (a, b) in words.items() if max(a, start) < min(b, end)}

    edges = data.draw(st.sets(st.integers(0, len(text)), max_size=4).map(sorted))
    spans = [(a, b) for a, b in pairwise(edges) if touched(a, b)]
    found = with_entities(document, [MarkedSpan(a, b, "X") for a, b in spans])
    assert check(found) == []
    assert found.sentences == document.sentences
    covered = {
        (m.sentence, k) for e in found.entities for m in e.mentions for k in range(m.start, m.end)
    }
    # each span touches a mention: its own, or that of a longer one that took its word
    assert all(covered & touched(a, b) for a, b in spans)
    # and where one has its words for itself, it is a mention as far as its sentence goes
    for a, b in spans:
        if all(touched(a, b).isdisjoint(touched(*other)) for other in spans if other != (a, b)):
            first = min(touched(a, b))[0]
            assert {key for key in touched(a, b) if key[0] == first} <= covered


def test_a_label_is_not_kept_as_a_label_of_other_entities():
    document = replace(Document.from_words("w", [["a"]]), relations=(Relation(0, 1, "r"),))
    assert with_entities(document, []).relations is None
