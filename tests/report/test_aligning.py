"""Two cuts of one text on common words: every mention keeps its characters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from docre.checking import check
from docre.documents import Document, Relation
from docre.errors import DataError
from docre.report.aligning import on_common_words
from docre.report.content import page_content
from docre.report.judging import judge
from docre.report.reading import PredictedRelations
from docre.scoring.joint import score_joint
from tests.scoring.test_extraction import TEXT, extracted, of_text


def characters(one):
    return [
        (entity.type, [one.char_span(mention) for mention in entity.mentions])
        for entity in one.entities
    ]


def holds(words, span):
    return words[0][0] <= span[0] and span[1] <= words[-1][1]


def covered(one):
    """The characters of each entity, one by one, without blanks: borders of mentions apart."""
    return [
        (kind, {n for a, b in spans for n in range(a, b) if TEXT[n] != " "})
        for kind, spans in characters(one)
    ]


@settings(deadline=None)  # the first example imports scipy
@given(extracted(), extracted())
def test_mentions_keep_their_characters(true, made):
    gold, own = of_text(*true), of_text(*made)
    first, second, _ = on_common_words(gold, own, [])
    assert first.sentences == second.sentences
    assert first.offsets == second.offsets
    assert len(first.sentences) == len(gold.sentences)
    for words, sentence in zip(first.offsets, gold.offsets, strict=True):
        assert (words[0][0], words[-1][1]) == (sentence[0][0], sentence[-1][1])
    for one in (first, second):
        assert [p for p in check(one) if "span" in p.code] == []
        spans = [TEXT[a:b] for words in one.offsets for a, b in words]
        assert spans == [word for words in one.sentences for word in words]
    assert characters(first) == characters(gold)
    # a mention that crosses a sentence border of the gold has become several
    assert covered(second) == covered(own)
    for (_, spans), (_, moved) in zip(characters(own), characters(second), strict=True):
        inside = [one for one in spans if any(holds(words, one) for words in gold.offsets)]
        assert [one for one in moved if one in inside] == inside


def test_a_mention_across_sentences_goes_on_in_the_next():
    gold, own = of_text([("A", [(5, 8)])], []), of_text([("B", [(14, 23)])], [])
    assert len(own.sentences) < len(gold.sentences)
    _, moved, _ = on_common_words(gold, own, [])
    (entity,) = moved.entities
    assert [(m.sentence, moved.surface(m)) for m in entity.mentions] == [(0, "drugs."), (1, "He")]
    judged = judge(gold, (), own, True)
    assert judged.entities == ("missed", "false")


def test_evidence_counts_the_sentences_of_the_gold():
    gold, own = of_text([("A", [(5, 8)])], []), of_text([("B", [(14, 23)])], [])
    told = on_common_words(gold, own, [Relation(0, 0, "r", (0,)), Relation(0, 0, "s")])[2]
    assert [one.evidence for one in told] == [(0, 1), None]
    told = on_common_words(own, gold, [Relation(0, 0, "r", (1, 3)), Relation(0, 0, "s", ())])[2]
    assert [one.evidence for one in told] == [(0, 2), ()]


@settings(deadline=None)  # the first example imports scipy
@given(extracted(), extracted())
def test_verdicts_are_those_of_the_scores(true, made):
    # entities that are listed twice count once in the scores and are shown twice
    true, made = ((distinct(entities), []) for entities, _ in (true, made))
    gold, own = of_text(*true), of_text(*made)
    judged = judge(gold, (), own, True)
    rates = score_joint([gold], [own]).entity.overall
    assert judged.entities.count("true") == rates.correct
    assert judged.entities.count("false") == rates.predicted - rates.correct
    assert judged.entities.count("missed") == rates.gold - rates.correct
    assert "".join("".join(words) for words in judged.document.sentences) == TEXT.replace(" ", "")


def distinct(entities):
    kept = {(kind, frozenset(spans)): (kind, spans) for kind, spans in entities}
    return list(kept.values())


def test_a_text_stands_on_the_page_as_it_was():
    gold = of_text([("A", [(5, 13)]), ("B", [(42, 45)])], [(0, 1, "r")])
    own = of_text(
        [("B", [(42, 45)]), ("A", [(5, 13)]), ("A", [(5, 8)])], [(1, 0, "r"), (2, 0, "r")]
    )
    assert gold.sentences != own.sentences
    content = page_content([gold], PredictedRelations({"d": list(own.relations)}, {"d": own}), True)
    (shown,) = content["documents"]
    assert " ".join("".join(pieces) for pieces in shown["sentences"]) == TEXT
    assert [(one[1], one[2]) for one in shown["entities"]] == [
        ("true", "TNFalpha"),
        ("true", "p55"),
        ("false", "TNF"),
    ]
    strict = score_joint([gold], [own]).relation_strict.overall
    assert content["scores"] == strict.to_dict()
    assert (strict.correct, strict.predicted) == (1, 2)


def test_other_texts_cannot_be_compared():
    gold, own = of_text([("A", [(5, 8)])], []), of_text([], [])
    words = replace(own, text=None, offsets=None)
    for pair in (
        (gold, of_text([], [], TEXT + "!")),
        (gold, words),
        (replace(gold, text=None, offsets=None), own),
    ):
        with pytest.raises(DataError) as caught:
            on_common_words(*pair, [])
        with pytest.raises(DataError) as scored:
            score_joint(*([one] for one in pair))
        assert caught.value.problems == scored.value.problems
    sparse = Document("d", (("drugs",),), text=TEXT, offsets=(((14, 19),),))
    with pytest.raises(DataError, match=r"no words at characters 5-8"):
        on_common_words(sparse, gold, [])
