"""Words that do not depend on mentions, beside a loop over characters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.data.formats.pubtator import PubTatorFormat
from docre.dictionary_baseline import DictionaryBaseline
from docre.documents import Document, Entity, Mention, Relation, check
from docre.errors import DataError
from docre.neutral_words import neutral_document, unaligned_mentions
from docre.segmentation import split_text

LETTERS = st.sampled_from(["ab", "C", "7", "-", ".", "! ", " ", "\n", "(", "é", "No. "])


@st.composite
def annotated(draw):
    """A text and mentions anywhere in it."""
    text = "".join(draw(st.lists(LETTERS, max_size=25)))
    spans = [
        (start, end)
        for start in range(len(text))
        for end in range(start + 1, min(start + 9, len(text)) + 1)
        if text[start:end].strip()
    ]
    if not spans:
        return text, []
    return text, draw(
        st.lists(st.lists(st.sampled_from(spans), min_size=1, max_size=2), max_size=3)
    )


def numbered(document):
    """Each word's characters, sentence and place in it."""
    return [
        (span, sentence, place)
        for sentence, words in enumerate(document.offsets)
        for place, span in enumerate(words)
    ]


@given(annotated())
def test_mentions_move_no_word_and_become_the_words_they_touch(given_text):
    text, entities = given_text
    document = Document.from_text("d", text, entities)
    neutral = neutral_document(document)
    assert neutral.sentences == neutral_document(Document.from_text("d", text)).sentences
    assert neutral.sentences == split_text(text).words(text)
    assert check(neutral) == []
    moved = 0
    for spans, entity in zip(entities, neutral.entities, strict=True):
        for (start, end), mention in zip(spans, entity.mentions, strict=True):
            touched = [
                (span, sentence, place)
                for span, sentence, place in numbered(neutral)
                if span[0] < end and start < span[1]
            ]
            inside = [one for one in touched if one[1] == touched[0][1]]
            assert mention.sentence == inside[0][1]
            assert (mention.start, mention.end) == (inside[0][2], inside[-1][2] + 1)
            # a blank at the end of a mention is no part of any word
            visible = text[start:end].strip()
            begin = start + len(text[start:end]) - len(text[start:end].lstrip())
            moved += (inside[0][0][0], inside[-1][0][1]) != (begin, begin + len(visible))
    assert unaligned_mentions(document, neutral) == moved


def test_documents_of_words_stay_as_they_are():
    document = Document.from_words("d", [["a-b", "c"], []], [[(0, 0, 1)]])
    assert neutral_document(document) is document
    assert unaligned_mentions(document, document) == 0


def test_all_else_is_kept():
    text = "5-HT6 is new. It is not 5-HT."
    document = Document.from_text(
        "d",
        text,
        {"a": [(0, 4), (24, 28)], "b": [(14, 16)]},
        [Relation(0, 1, "is", evidence=(1,)), Relation(1, 0, "was")],
        types=["X", "Y"],
        extra={"more": 1},
    )
    neutral = neutral_document(document)
    assert document.sentences[0] == ("5", "-", "HT", "6", "is", "new", ".")
    assert neutral.sentences[0] == ("5", "-", "HT6", "is", "new", ".")
    assert neutral.relations == document.relations
    assert neutral.extra == document.extra
    assert [(e.id, e.type) for e in neutral.entities] == [("a", "X"), ("b", "Y")]
    first, second = neutral.entities[0].mentions
    assert (neutral.surface(first), first.surface) == ("5-HT6", "5-HT")
    assert neutral.surface(second) == second.surface == "5-HT"
    assert unaligned_mentions(document, neutral) == 1
    assert neutral_document(neutral) == neutral


def test_a_sentence_ends_within_a_mention():
    """It is found as far as its sentence goes, and evidence in both parts of the sentence."""
    text = "He met Dr. No. 7 was there! And Bo. Da left."
    span = (text.index("there"), text.index("Bo") + 2)
    document = Document.from_text(
        "d", text, [[span], [(0, 2)]], [Relation(0, 1, "r", evidence=(0,)), Relation(1, 0, "r")]
    )
    assert len(document.sentences) == 2
    neutral = neutral_document(document)
    assert len(neutral.sentences) == 3
    assert neutral.surface(neutral.entities[0].mentions[0]) == "there!"
    assert unaligned_mentions(document, neutral) == 1
    assert [label.evidence for label in neutral.relations] == [(0, 1), None]


def test_a_title_is_a_sentence():
    text = "7|t|zorbin and skin\n7|a|after zorbin. Some sneezed."
    mention = "7\t0\t6\tzorbin\tChemical\tC1"
    document, _ = PubTatorFormat().parse(f"{text}\n{mention}".encode(), 0)
    bare, _ = PubTatorFormat().parse(text.encode(), 0)
    neutral = neutral_document(document)
    assert neutral.sentences == (
        ("zorbin", "and", "skin"),
        ("after", "zorbin", "."),
        ("Some", "sneezed", "."),
    )
    assert neutral.sentences == neutral_document(bare).sentences == document.sentences


def test_a_mention_without_a_word_is_refused():
    made = Document.from_text("d", "ab cd", [[(0, 2)]])
    odd = replace(made, offsets=(((0, 2), (2, 3)),), sentences=(("ab", " "),))
    odd = replace(odd, entities=(*odd.entities, Entity((Mention(0, 0, 1), Mention(0, 1, 2)))))
    with pytest.raises(DataError, match=r"document 'd', entities\[1\]\.mentions\[1\]"):
        neutral_document(odd)
    empty = replace(made, text="", offsets=((),), sentences=((),), entities=())
    assert neutral_document(empty).sentences == ()


def test_the_dictionary_reads_the_words_of_a_joint_model():
    """Also where a title ends without a full stop: no name goes from it into the abstract."""
    train = Document.from_text("t", "zorbin after it", {"z": [(0, 12)]})
    text = "7|t|about zorbin\n7|a|after zorbin. Some sneezed."
    document, _ = PubTatorFormat().parse(f"{text}\n7\t6\t12\tzorbin\tChemical\tC1".encode(), 0)
    found = DictionaryBaseline.fit([train]).predict(document)
    neutral = neutral_document(document)
    assert (found.sentences, found.offsets) == (neutral.sentences, neutral.offsets)
    assert found.entities == ()
