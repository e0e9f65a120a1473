"""Raw texts are compared by their characters, however each side cuts its words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError
from docre.joint_metrics import JointScore
from docre.scoring.extraction import Annotation, has_own_entities
from docre.scoring.joint import LEVELS, score_joint

# words that mentions may begin and end inside of, and sentence borders that they may cross
TEXT = "Anti-TNFalpha drugs. He got IL2-receptor (p55). It rose. Then 5mg of Anti-TNF fell."
SPANS = (
    (0, 4), (0, 13), (5, 8), (5, 13), (14, 19), (14, 23), (21, 23), (28, 30), (28, 40), (31, 39),
    (42, 45), (46, 50), (57, 58), (57, 60), (70, 74), (75, 78),
)  # fmt: skip


@st.composite
def extracted(draw):
    """Entities by characters with their types, and relations."""
    spans = st.lists(st.sampled_from(SPANS), min_size=1, max_size=2)
    entities = draw(st.lists(st.tuples(st.sampled_from(("A", "B")), spans), max_size=4))
    index = st.integers(0, max(0, len(entities) - 1))
    labels = st.lists(st.tuples(index, index, st.sampled_from(("r", "s"))), max_size=3)
    return entities, draw(labels) if entities else []


def of_text(entities, labels, text=TEXT, id="d"):
    """A document whose words are cut at its own mentions."""
    spans, types = [spans for _, spans in entities], [kind for kind, _ in entities]
    made = Document.from_text(id, text, spans, types=types)
    return replace(made, relations=tuple(Relation(*label) for label in labels))


def slow_items(entities, labels):
    """Items by level as lists of characters, without a word in them."""
    sets = [sorted(set(spans)) for _, spans in entities]
    kinds = [kind for kind, _ in entities]
    relaxed = [(name, sets[head], sets[tail]) for head, tail, name in labels]
    strict = [
        (name, (kinds[head], sets[head]), (kinds[tail], sets[tail])) for head, tail, name in labels
    ]
    every = ([span for spans in sets for span in spans], sets, list(zip(kinds, sets, strict=True)))
    listed = dict(zip(LEVELS, (*every, relaxed, strict), strict=True))
    return {
        level: [one for n, one in enumerate(items) if one not in items[:n]]
        for level, items in listed.items()
    }


@settings(deadline=None)  # the first example imports scipy
@given(extracted(), extracted())
def test_equal_to_a_slow_scorer_of_characters(true, made):
    gold, predicted = of_text(*true), of_text(*made)
    scores = score_joint([gold], [predicted])
    there, found = slow_items(*true), slow_items(*made)
    for level in LEVELS:
        rates = getattr(scores, level).overall
        correct = [one for one in found[level] if one in there[level]]
        assert (rates.gold, rates.predicted, rates.correct) == (
            len(there[level]),
            len(found[level]),
            len(correct),
        )
    metric = JointScore([gold])
    metric.update([predicted])
    assert metric.scores() == scores


def test_the_words_do_differ():
    """What the test above is about: equal entities under other numbers of words."""
    mention = ("A", [(5, 8)])  # TNF, inside a word
    gold = of_text([mention], [])
    other = of_text([mention, ("B", [(28, 30)])], [])
    assert gold.sentences != other.sentences
    scores = score_joint([gold], [other])
    assert (scores.entity.overall.correct, scores.entity.overall.predicted) == (1, 2)
    crossing = of_text([mention, ("B", [(14, 23)])], [])  # no sentence border inside a mention
    assert len(crossing.sentences) < len(gold.sentences)
    assert score_joint([crossing], [gold]).entity.overall.correct == 1


def test_texts_have_to_be_equal():
    gold = of_text([("A", [(5, 8)])], [])
    other = of_text([("A", [(5, 8)])], [], TEXT + "!")
    with pytest.raises(DataError, match="'d', text: the text differs from that"):
        score_joint([gold], [other])


def test_one_side_without_a_text_needs_the_same_words():
    gold = of_text([("A", [(5, 8)]), ("B", [(0, 4)])], [(0, 1, "r")])
    words = replace(gold, text=None, offsets=None)
    for pair in ((gold, words), (words, gold), (words, words)):
        assert score_joint(*([one] for one in pair)).relation_strict.overall.f1 == 1
    other = replace(of_text([], []), text=None, offsets=None)
    for pair in ((gold, other), (other, gold), (words, other)):
        with pytest.raises(DataError, match=r"'d', sentences: the text differs from that"):
            score_joint(*([one] for one in pair))
    both = [gold, replace(gold, id="e")]
    with pytest.raises(DataError) as caught:
        score_joint(both, [other, replace(other, id="e")])
    assert [problem.document for problem in caught.value.problems] == ["d", "e"]


@pytest.mark.parametrize("span", [(-1, 0, 1), (0, 1, 1), (0, 0, 99), (9, 0, 1)])
def test_a_mention_outside_of_the_words_has_no_characters(span):
    gold = of_text([("A", [(5, 8)])], [])
    wrong = replace(gold, entities=(*gold.entities, Entity((Mention(*span),))))
    with pytest.raises(DataError, match=r"entities\[1\].mentions\[0\].*has no characters"):
        Annotation.of(wrong)


def test_own_entities():
    gold = of_text([("A", [(5, 8), (14, 19)]), ("B", [(0, 4)])], [])
    first, second = gold.entities
    assert not has_own_entities(gold, gold)
    assert not has_own_entities(gold, replace(gold, relations=None))
    turned = replace(first, mentions=first.mentions[::-1])
    assert not has_own_entities(gold, replace(gold, entities=(turned, second)))
    untyped = tuple(replace(one, type="") for one in gold.entities)
    assert not has_own_entities(gold, replace(gold, entities=untyped))
    for entities in (
        (second, first),
        (first,),
        (first, replace(second, type="A")),
        (replace(first, mentions=first.mentions[:1]), second),
    ):
        assert has_own_entities(gold, replace(gold, entities=entities))
    assert has_own_entities(gold, of_text([], []))
