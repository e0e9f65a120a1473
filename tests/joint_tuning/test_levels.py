"""Tuned thresholds against all thresholds there are, each scored as predictions are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.joint import Extracted, clusters
from docre.joint_tuning.levels import coreference_steps, links, mention_steps, relation_steps
from docre.joint_tuning.steps import Steps, at_least, best_threshold
from docre.scoring.extraction import Annotation
from docre.scoring.joint import score_joint
from tests.scoring.test_joint_scores import RELATIONS, SPANS, TYPES, documents, make

# neighbours in float32, both ends, and thresholds, in float64 also as they are
NUMBERS = np.array([0, 1e-6, 0.3, 0.6, 0.85, 1], np.float32)
PROBABILITIES = sorted(
    {*NUMBERS.tolist(), *np.nextafter(NUMBERS, np.float32(0.5)).tolist(), 0.3, 0.6, 0.85}
)
DEFAULTS = (0.0, 0.3, 0.6, 0.85, 0.9, 1.0)
PRECISIONS = (torch.float32, torch.float64)


def all_thresholds(default):
    """Both sides of every probability, what is between them, and the ends."""
    known = np.unique([*PROBABILITIES, *(1 - (1 - p) for p in PROBABILITIES), default])
    close = [np.nextafter(known, end) for end in (0, 1)]
    found = np.unique(np.concatenate([known, *close, (known[1:] + known[:-1]) / 2]))
    return found[(found >= 0) & (found <= 1)].tolist()


def check(steps, default, reached, f1_at):
    """Compare the tuned threshold with all others."""
    found = best_threshold(Steps.joined(steps), default, reached)
    assert 0 <= found <= 1
    best = max(map(f1_at, all_thresholds(default)))
    assert f1_at(found) == best
    assert (found == default) == (f1_at(default) == best)


@st.composite
def tensors(draw, count, precision):
    values = draw(st.lists(st.sampled_from(PROBABILITIES), min_size=count, max_size=count))
    return torch.tensor(values, dtype=precision)


@settings(deadline=None, max_examples=50)
@given(documents(("a", "b")), st.sampled_from(PRECISIONS), st.sampled_from(DEFAULTS), st.data())
def test_mentions(gold, precision, default, data):
    if not gold:
        return
    spans = [data.draw(st.lists(st.sampled_from(SPANS), unique=True)) for _ in gold]
    sure = [data.draw(tensors(len(each), precision)) for each in spans]

    def f1_at(threshold):
        kept = [
            [each[row] for row in (values >= threshold).nonzero().flatten()]
            for each, values in zip(spans, sure, strict=True)
        ]
        predicted = [
            make(document.id, [("PER", [span]) for span in each])
            for document, each in zip(gold, kept, strict=True)
        ]
        return score_joint(gold, predicted).mention.overall.f1

    rows = zip(gold, spans, sure, strict=True)
    check([mention_steps(Annotation.of(d), *row) for d, *row in rows], default, at_least, f1_at)


@settings(deadline=None, max_examples=50)
@given(documents(("a", "b")), st.sampled_from(PRECISIONS), st.sampled_from(DEFAULTS), st.data())
def test_coreference(gold, precision, default, data):
    if not gold:
        return
    spans = [data.draw(st.lists(st.sampled_from(SPANS), unique=True)) for _ in gold]
    alike = [data.draw(tensors(len(s) ** 2, precision)).view(len(s), len(s)) for s in spans]

    def f1_at(threshold):
        predicted = [
            make(
                document.id,
                [("PER", [each[m] for m in cluster]) for cluster in clusters(matrix, threshold)],
            )
            for document, each, matrix in zip(gold, spans, alike, strict=True)
        ]
        return score_joint(gold, predicted).coreference.overall.f1

    rows = zip(gold, spans, alike, strict=True)
    check([coreference_steps(Annotation.of(d), *row) for d, *row in rows], default, links, f1_at)


@settings(deadline=None, max_examples=50)
@given(documents(("a", "b")), st.sampled_from(PRECISIONS), st.sampled_from(DEFAULTS), st.data())
def test_relations(gold, precision, default, data):
    """Entities are partly those of the gold, in another order; they may be there twice."""
    gold = [document for document in gold if document.relations is not None]
    if not gold:
        return
    entities, found = [], []
    for document in gold:
        true = [
            (one.type, [(m.sentence, m.start, m.end) for m in one.mentions])
            for one in document.entities
        ]
        wrong = st.tuples(st.sampled_from(TYPES), st.lists(st.sampled_from(SPANS), min_size=1))
        listed = st.lists(st.sampled_from(true) | wrong if true else wrong, max_size=4)
        entities.append(data.draw(listed))
        count = len(entities[-1])
        places = [
            (h, t, r)
            for h in range(count)
            for t in range(count)
            if h != t
            for r in range(len(RELATIONS))
        ]
        columns = torch.tensor(places, dtype=torch.long).reshape(-1, 3).unbind(1)
        sure = data.draw(tensors(len(places), precision))
        found.append(Extracted(*[None] * 5, *columns, sure))

    def predicted_at(threshold):
        for document, of, each in zip(gold, entities, found, strict=True):
            kept = (each.relation_probability >= threshold).nonzero().flatten()
            columns = (each.head[kept], each.tail[kept], each.relation[kept])
            labels = zip(*(column.tolist() for column in columns), strict=True)
            yield make(document.id, of, [(h, t, RELATIONS[r]) for h, t, r in labels])

    def f1_at(threshold):
        return score_joint(gold, predicted_at(threshold)).relation_strict.overall.f1

    steps = [
        relation_steps(Annotation.of(d), Annotation.of(make("", of)).entities, each, RELATIONS)
        for d, of, each in zip(gold, entities, found, strict=True)
    ]
    check(steps, default, at_least, f1_at)


# --- by hand --------------------------------------------------------------------------------------


def mentions(*judged, missed=0):
    """Steps of candidates, given as probability and whether it is one."""
    sure = np.array([each for each, _ in judged], np.float32)
    correct = np.array([right for _, right in judged], np.int8)
    return Steps(sure, np.ones_like(correct), correct, int(correct.sum()) + missed)


@pytest.mark.parametrize(
    ("judged", "default", "expected"),
    [
        # in the middle of two neighbours, or of one and the end
        ([(0.9, True), (0.7, True), (0.2, False)], 0.85, 0.45),
        ([(0.9, True), (0.8, True)], 0.85, 0.4),
        ([(0.9, True), (0.3, False), (0.2, False)], 0.25, 0.6),
        # what no threshold is better than stays
        ([(0.9, True), (0.3, False)], 0.85, 0.85),
        ([(0.9, False), (0.3, False)], 0.85, 0.85),
        ([], 0.85, 0.85),
        # 1 of 1 and 2 of 4 with two gold ones: F1 is 2/3 at both, the middles are 0.8 and 0.15
        ([(0.9, True), (0.7, False), (0.6, False), (0.3, True)], 0.65, 0.8),
        ([(0.9, True), (0.7, False), (0.6, False), (0.3, True)], 0.4, 0.15),
    ],
)
def test_which_of_the_best(judged, default, expected):
    assert best_threshold(mentions(*judged), default) == pytest.approx(expected, abs=1e-7)


def test_equal_probabilities_are_let_through_together():
    steps = mentions((0.9, True), (0.5, True), (0.5, False), (0.5, False), (0.5, False))
    assert best_threshold(steps, 0.5) == pytest.approx(0.7)


def test_gold_that_is_no_candidate_counts():
    """A second right one is worth three wrong ones only if more gold is missed."""
    judged = [(0.9, True), *[(0.5, False)] * 3, (0.5, True)]
    assert best_threshold(mentions(*judged), 0.1) == pytest.approx(0.7)
    assert best_threshold(mentions(*judged, missed=9), 0.7) == pytest.approx(0.25)


@pytest.mark.parametrize("step", [1, 2])
def test_neighbours_in_float32(step):
    """What is in the middle of them is one of them, the wrong one every other time."""
    bits = np.array([0.7], np.float32).view(np.int32) + np.array([step + 1, step], np.int32)
    sure = bits.view(np.float32)
    steps = Steps(sure, np.ones(2, np.int8), np.array([1, 0], np.int8), 1)
    found = best_threshold(steps, 0.1)
    assert (torch.from_numpy(sure) >= found).tolist() == [True, False]
