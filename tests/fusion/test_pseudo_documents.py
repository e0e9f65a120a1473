"""Documents of evidence alone."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.features import FeatureSettings, Featurizer
from docre.documents import Document, check
from docre.fusion.pseudo_documents import evidence_sets, excerpt, pseudo_documents
from docre.triples import PredictedTriple
from tests.toy import RELATIONS, TYPES, document, pieces

NAME = RELATIONS.names[0]


@st.composite
def cases(draw):
    """A document and what was read in it: the evidence is per pair."""
    made = document(draw(st.integers(0, 500)), entities=draw(st.integers(2, 6)))
    if draw(st.booleans()):
        pairs = [pair for pair in made.pairs() if draw(st.booleans())]
        made = replace(made, candidates=tuple(pairs), relations=None)
    sentences = st.sets(st.integers(0, len(made.sentences) - 1), max_size=2)
    candidates = []
    for head, tail in made.pairs():
        evidence = tuple(sorted(draw(sentences)))
        for name in RELATIONS.names[: draw(st.integers(0, 2))]:
            margin = draw(st.sampled_from([-12.0, -3.0, 0.5]))
            candidates.append(PredictedTriple(made.id, head, tail, name, 1.0, margin, evidence))
    return made, candidates


def slow_sets(made, candidates, reach):
    """The sets of sentences, pair by pair."""
    sets = []
    for pair in {(one.head, one.tail): None for one in candidates}:
        of_pair = [one for one in candidates if (one.head, one.tail) == pair]
        evidence = list(of_pair[0].evidence)
        if not evidence or max(one.margin for one in of_pair) < -reach:
            continue
        for entity in pair:
            named = [mention.sentence for mention in made.entities[entity].mentions]
            if not [sentence for sentence in named if sentence in evidence]:
                evidence.append(min(named))
        if sorted(evidence) not in sets:
            sets.append(sorted(evidence))
    return sets


@given(cases(), st.sampled_from([0.0, 5.0, 10.0, math.inf]))
def test_sets_are_a_loop_over_pairs(case, reach):
    made, candidates = case
    found = evidence_sets(made, candidates, reach)
    if not candidates:
        assert found == [tuple(range(len(made.sentences)))]
    else:
        assert sorted(map(list, found)) == sorted(slow_sets(made, candidates, reach))
        assert len(found) == len(set(found))


@given(cases())
def test_a_shorter_reach_only_leaves_out(case):
    made, candidates = case
    sets = [set(evidence_sets(made, candidates, reach)) for reach in (0.0, 5.0, 10.0, math.inf)]
    assert sets[0] <= sets[1] <= sets[2] <= sets[3]
    # what is left out belongs to no pair with a candidate within reach
    for candidate in candidates:
        if candidate.evidence and candidate.margin >= -5.0:
            (own,) = evidence_sets(made, [candidate], math.inf)
            assert own in sets[1]


@given(cases())
def test_a_pseudo_document_says_what_its_parent_says(case):
    made, candidates = case
    for pseudo in pseudo_documents(made, candidates, math.inf):
        part = pseudo.document
        assert check(part) == []
        assert part.relations is None
        assert part.sentences == tuple(made.sentences[s] for s in pseudo.sentences)
        named = {
            number
            for number, entity in enumerate(made.entities)
            if any(mention.sentence in pseudo.sentences for mention in entity.mentions)
        }
        assert list(pseudo.entities) == sorted(named)
        for old, entity in zip(pseudo.entities, part.entities, strict=True):
            parents = [
                replace(mention, sentence=pseudo.sentences.index(mention.sentence))
                for mention in made.entities[old].mentions
                if mention.sentence in pseudo.sentences
            ]
            assert list(entity.mentions) == parents
            assert entity.type == made.entities[old].type
        restored = [(pseudo.entities[h], pseudo.entities[t]) for h, t in part.pairs()]
        assert restored == [pair for pair in made.pairs() if named.issuperset(pair)]


@settings(deadline=None)
@given(cases(), st.sampled_from(["words", "text"]))
def test_its_tokens_are_those_of_its_sentences(case, source):
    made, candidates = case
    featurize = Featurizer(pieces(), RELATIONS, TYPES, FeatureSettings(source=source))
    (whole,) = featurize([made])
    for pseudo in pseudo_documents(made, candidates, math.inf):
        (row,) = featurize([pseudo.document])
        spans = [
            slice(whole.sentence_start[sentence], whole.sentence_end[sentence])
            for sentence in pseudo.sentences
        ]
        inner = [token for span in spans for token in whole.input_ids[span]]
        assert row.input_ids == [whole.input_ids[0], *inner, whole.input_ids[-1]]


TEXT = "Ada Lind met Bo.  She lives in Tarn! Bo works for Nordwerk, in Arle. It rains."
SPANS = {
    "ada": [(0, 8), (18, 21)],
    "bo": [(13, 15), (37, 39)],
    "tarn": [(31, 35)],
    "nordwerk": [(50, 58)],
}


def test_raw_text_is_cut_with_its_offsets():
    made = Document.from_text("raw", TEXT, SPANS)
    assert len(made.sentences) == 4
    pseudo = excerpt(made, (0, 2), 7)
    part = pseudo.document
    assert part.text == "Ada Lind met Bo. Bo works for Nordwerk, in Arle."
    assert pseudo.entities == (0, 1, 3)
    names = [[part.surface(mention) for mention in entity.mentions] for entity in part.entities]
    assert names == [["Ada Lind"], ["Bo", "Bo"], ["Nordwerk"]]
    for words, spans in zip(part.sentences, part.offsets, strict=True):
        assert [part.text[start:end] for start, end in spans] == list(words)
    assert (part.id, pseudo.parent) == ("raw#7", "raw")
    assert check(part) == []


def test_the_sentence_of_the_first_mention_is_added_where_evidence_names_nobody():
    made = Document.from_text("raw", TEXT, SPANS)
    rain = PredictedTriple("raw", 0, 3, NAME, 1.0, 1.0, (3,))
    assert evidence_sets(made, [rain]) == [(0, 2, 3)]
    # the sentence that was added for the head names the tail too
    both = PredictedTriple("raw", 0, 1, NAME, 1.0, 1.0, (3,))
    assert evidence_sets(made, [both]) == [(0, 3)]
    silent = PredictedTriple("raw", 0, 1, NAME, 1.0, 1.0, ())
    assert evidence_sets(made, [silent]) == []


def test_triples_are_restored():
    made = Document.from_text("raw#0", TEXT, SPANS)
    pseudo = excerpt(made, (0, 2), 0)
    found = PredictedTriple("raw#0#0", 2, 1, NAME, 3.0, 1.0, (1,))
    assert pseudo.restore(found) == PredictedTriple("raw#0", 3, 1, NAME, 3.0, 1.0, (2,))


def test_ids_are_different_whatever_the_parents_are_called():
    names = ["a", "a#0", "a#0#0", "a#1", "0"]
    made = [
        excerpt(Document.from_text(name, TEXT, SPANS), (0,), number).document.id
        for name in names
        for number in range(12)
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("reach", [0.0, math.inf])
def test_a_document_in_which_nothing_was_read_is_read_again_whole(reach):
    made = Document.from_text("raw", TEXT, SPANS)
    (pseudo,) = pseudo_documents(made, [], reach)
    assert pseudo.document.sentences == made.sentences
    assert pseudo.entities == (0, 1, 2, 3)
