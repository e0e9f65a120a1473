"""Spans of words in the places where scores compare them."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from docre.documents import Document
from docre.joint import Extracted, JointThresholds, candidate_spans
from docre.joint_data import JointExamples
from docre.joint_tuning.answers import Answers
from docre.joint_tuning.dev_split import DevSplit
from docre.neutral_words import neutral_document
from docre.scoring.joint import score_joint
from tests.scoring.test_joint_scores import make

TEXT = "Annmarie of Nordoslo met Bo. In Oslonord she stayed."


def candidates(document):
    lengths = torch.tensor([len(words) for words in document.sentences]).long()
    return candidate_spans(lengths, torch.arange(int(lengths.sum()) + 1), 10)


def test_words_are_counted_in_their_sentences():
    document = make("d", [("PER", [(0, 0, 2), (1, 1, 2)])])
    answers = Answers.of(document, document)
    places = answers.places(candidates(document))
    assert sorted(places) == [
        *((0, start, end) for start in range(3) for end in range(start + 1, 4)),
        *((1, start, end) for start in range(2) for end in range(start + 1, 3)),
    ]
    assert answers.gold.mentions == {(0, 0, 2), (1, 1, 2)}
    assert answers.gold.mentions <= set(places)


def test_characters_of_a_raw_text():
    """A mention inside a word cuts the annotated words; those that are read know nothing of it."""
    spans = {"marie": [(3, 8)], "oslo": [(16, 20), (32, 36)], "bo": [(25, 27)]}
    document = Document.from_text("d", TEXT, spans)
    read = neutral_document(document)
    assert read.sentences != document.sentences
    answers = Answers.of(document, read)
    places = answers.places(candidates(read))
    texts = [TEXT[start:end] for _, start, end in places]
    assert {"Annmarie of Nordoslo", "Bo", "In Oslonord"} <= set(texts)
    assert len(set(places)) == len(places)
    found = answers.gold.mentions & set(places)
    # as many as scoring finds if everything annotated is predicted on the words that are read
    assert len(found) == score_joint([document], [read]).mention.overall.correct == 1


def test_a_document_without_words():
    document = Document("d", (), (), ())
    answers = Answers.of(document, document)
    assert answers.places(candidates(document)) == []


def test_entities_of_a_raw_text():
    """What is found on other words than those of the annotations counts as in scores."""
    spans = {"marie": [(3, 8)], "nordoslo": [(12, 20), (32, 40)], "bo": [(25, 27)]}
    labels = [("bo", "nordoslo", "near"), ("marie", "bo", "near")]
    document = Document.from_text("d", TEXT, spans, labels)
    read = neutral_document(document)
    network = SimpleNamespace(relation=True)
    data = SimpleNamespace(
        files={"dev": None}, documents=lambda _: [document], examples=JointExamples()
    )
    model = SimpleNamespace(
        network=network,
        types=("",),
        relations=("far", "near"),
        edit_distances=lambda _: None,
    )
    dev = DevSplit(SimpleNamespace(data=data, model=model))
    every = candidates(read)
    words = [tuple(TEXT[slice(*ends)] for ends in w) for w in read.offsets]
    flat = [word for sentence in words for word in sentence]
    chosen = [flat.index("Nordoslo"), flat.index("Bo"), flat.index("Oslonord")]
    rows = [
        row
        for word in chosen
        for row in range(len(every))
        if (int(every.word_start[row]), int(every.word_end[row])) == (word, word + 1)
    ]
    head, tail, relation = torch.tensor([[0, 1, 1], [1, 0, 0], [1, 0, 1]])
    found = Extracted(
        every.of(torch.tensor(rows)),
        torch.ones(3),
        torch.tensor([0, 1, 0]),
        torch.zeros(2, dtype=torch.long),
        torch.ones(2),
        *(head, tail, relation),
        torch.tensor([0.2, 0.4, 0.6]),
    )
    model.network.extract = lambda *_: [found]
    batch = SimpleNamespace(document_ids=["d"])
    (steps,) = dev.relations(JointThresholds(relation=0.0))(None, batch)
    (made,) = dev.found(JointThresholds(relation=0.0))(None, batch)
    rates = score_joint([document], [made]).relation_strict.overall
    assert (steps.gold, len(steps.probability), steps.correct.sum()) == (
        rates.gold,
        rates.predicted,
        rates.correct,
    )
    assert steps.correct.tolist() == [0, 0, 1]
