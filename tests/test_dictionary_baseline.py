"""The dictionary baseline learns names, finds the longest ones, and looks at nothing else."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from docre.data.reading import read_documents
from docre.dictionary_baseline import DictionaryBaseline
from docre.documents import Document
from docre.errors import DataError
from docre.scoring.joint import score_joint
from tests.corpora import corpus


def words(text, *mentions, id="d", types=None):
    """Return a document of words, a sentence a line, with mentions by their words."""
    sentences = [line.split() for line in text.strip().splitlines()]
    entities = []
    for number, named in enumerate(mentions):
        name = named.split()
        spans = [
            (s, start, start + len(name))
            for s, line in enumerate(sentences)
            for start in range(len(line))
            if line[start : start + len(name)] == name
        ]
        kind = types[number] if types else "T"
        entities.append((spans, kind))
    document = Document.from_words(id, sentences, [spans for spans, _ in entities])
    typed = (replace(e, type=k) for e, (_, k) in zip(document.entities, entities, strict=True))
    return replace(document, entities=tuple(typed))


def found(document):
    return {
        (document.surface(m), e.type, m.sentence, m.start)
        for e in document.entities
        for m in e.mentions
    }


def test_the_longest_name_is_taken_wherever_it_begins():
    train = words("New York City\nYork City Hall of Fame\nNew York", "New York City", "New York")
    hall = words("York City Hall of Fame", "York City Hall of Fame", id="hall", types=["B"])
    fitted = DictionaryBaseline.fit([train, hall])
    assert set(fitted.types) == {
        ("New", "York"),
        ("New", "York", "City"),
        ("York", "City", "Hall", "of", "Fame"),
    }
    seen = fitted.predict(words("in New York City Hall of Fame and New York City . New York"))
    assert found(seen) == {
        ("York City Hall of Fame", "B", 0, 2),
        ("New York City", "T", 0, 8),
        ("New York", "T", 0, 12),
    }


def test_names_do_not_cross_sentences():
    fitted = DictionaryBaseline.fit([words("New York", "New York")])
    assert found(fitted.predict(words("New\nYork"))) == set()


def test_a_name_is_kept_if_at_least_half_of_its_occurrences_are_mentions():
    half = [words("lead .", "lead"), words("lead .", id="b")]
    assert DictionaryBaseline.fit(half).types == {("lead",): "T"}
    third = [*half, words("lead", id="c")]
    assert DictionaryBaseline.fit([*third, words("x", "x", id="x")]).types == {("x",): "T"}
    assert ("lead",) in DictionaryBaseline.fit(third, share=0.3).types
    # a longer mention around it says nothing about the name alone
    inside = [words("lead", "lead"), words("lead acid and lead acid", "lead acid", id="b")]
    assert set(DictionaryBaseline.fit(inside).types) == {("lead",), ("lead", "acid")}


def test_short_words_keep_their_case():
    fitted = DictionaryBaseline.fit([words("US and Aspirin", "US", "Aspirin")])
    seen = fitted.predict(words("us US aspirin ASPIRIN"))
    assert {name for name, *_ in found(seen)} == {"US", "aspirin", "ASPIRIN"}
    assert [len(entity.mentions) for entity in seen.entities] == [1, 2]


def test_the_most_frequent_type_and_one_entity_a_name():
    train = [
        words("Rome", "Rome", id=f"{kind}{n}", types=[kind])
        for kind, count in (("LOC", 3), ("ORG", 2))
        for n in range(count)
    ]
    seen = DictionaryBaseline.fit(train).predict(words("Rome is\nRome"))
    assert [(e.type, len(e.mentions)) for e in seen.entities] == [("LOC", 2)]


def test_nothing_to_learn_from():
    with pytest.raises(DataError, match="no document has an entity"):
        DictionaryBaseline.fit([words("nothing here")])


TEXT = "Li and Fluid. Lithium ion, E. coli or 5-HT3 in Li2CO3."


def test_raw_text_is_read_in_words_that_mentions_do_not_change():
    train = Document.from_text("t", TEXT, {"li": [(0, 2)], "lithium": [(14, 21)]})
    # the mention Li within Li2CO3 cuts that word in the gold, and nowhere else
    gold = Document.from_text("g", TEXT, {"li": [(0, 2), (47, 49)], "lithium": [(14, 21)]})
    fitted = DictionaryBaseline.fit([train])
    blind = replace(gold, entities=(), relations=None)
    seen = fitted.predict(gold)
    assert seen == fitted.predict(replace(blind, candidates=((0, 1),)))
    assert "Li2CO3" in seen.sentences[-1]
    assert "Li2CO3" not in gold.sentences[-1]
    spans = {seen.char_span(m) for e in seen.entities for m in e.mentions}
    assert spans == {(0, 2), (14, 21)}
    assert seen.text == TEXT
    for sentence, offsets in zip(seen.sentences, seen.offsets, strict=True):
        assert sentence == tuple(TEXT[a:b] for a, b in offsets)


def test_a_mention_within_a_word_is_learnt_as_the_words_it_touches():
    train = Document.from_text("t", TEXT, {"li": [(47, 49)]})
    assert set(DictionaryBaseline.fit([train]).types) == {("li2co3",)}


def test_a_slow_search_finds_the_same():
    letters = random.Random(4)
    lines = [" ".join(letters.choices("abc", k=8)) for _ in range(6)]
    names = ["a b", "b c a", "c", "a a"]
    fitted = DictionaryBaseline({tuple(name.split()): "T" for name in names})
    seen = found(fitted.predict(words("\n".join(lines))))
    expected = set()
    for s, line in enumerate(lines):
        left = line.split()
        for size in (3, 2, 1):
            for start in range(len(left) - size + 1):
                name = " ".join(left[start : start + size])
                if name in names:
                    expected.add((name, "T", s, start))
                    left[start : start + size] = ["-"] * size
    assert expected
    assert seen == expected


def test_names_alone_do_not_solve_redocred():
    documents = read_documents(corpus("redocred/dev_revised.json"))
    fitted = DictionaryBaseline.fit(documents[:400])
    scores = score_joint(documents[400:], [fitted.predict(d) for d in documents[400:]])
    # 742 right of 1,212 found and 2,559 there, as an independent script counted
    mention = scores.mention.overall
    assert (mention.correct, mention.predicted, mention.gold) == (742, 1_212, 2_559)
    assert 0.3 < scores.entity.overall.f1 < 0.4
    # on what it has learnt from it finds nearly everything
    again = score_joint(documents[:400], [fitted.predict(d) for d in documents[:400]])
    assert again.mention.overall.f1 > 0.95


def test_raw_text_is_scored_in_characters():
    train = read_documents(corpus("cdr/CDR_TrainingSet.PubTator.txt"))
    gold = read_documents(corpus("cdr/CDR_DevelopmentSet.PubTator.txt"))
    fitted = DictionaryBaseline.fit(train)
    predicted = [fitted.predict(document) for document in gold]
    spans = [
        [{d.char_span(m) for e in d.entities for m in e.mentions} for d in documents]
        for documents in (gold, predicted)
    ]
    correct = sum(len(there & made) for there, made in zip(*spans, strict=True))
    mention = score_joint(gold, predicted).mention.overall
    assert (mention.correct, mention.gold) == (correct, sum(map(len, spans[0]))) == (6_006, 9_591)
    assert mention.predicted == 6_778
