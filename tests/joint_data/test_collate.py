"""Joint batches beside loops over documents."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from docre.data.columns import to_record_batch
from docre.data.feature_table import EpochRows, FeatureTable
from docre.data.label_noise import LabelNoise, apply_noise
from docre.data.modules import BatchSettings
from docre.documents import Document, Entity, Mention, Relation
from docre.joint import JointSampler, NegativeCounts
from docre.joint.batch import join_samples
from docre.joint_data import JointExamples, JointFeaturizer, JointRowSettings, collate
from docre.joint_data.rows import JOINT_ROWS
from docre.joint_data.truths import truths_of, words_of
from tests.toy import RELATIONS, TYPES, document, pieces

DOCUMENTS = [
    *(document(seed) for seed in range(6)),
    Document("no sentence", (), relations=()),
    document(100, entities=0),
    document(101, entities=1),
    document(102, entities=4, labelled=False),
    Document(
        "repeated",
        (("Mia", "Bo"), (), ("Arle", "lies", "near", "Bo")),
        (
            Entity((Mention(0, 0, 2), Mention(0, 0, 2)), "PER"),
            Entity((Mention(2, 0, 4), Mention(0, 0, 2)), "LOC"),
        ),
        (Relation(1, 0, "born_in"),),
    ),
]
SETTINGS = BatchSettings()


def table_of(documents, special=True):
    featurizer = JointFeaturizer(pieces(), RELATIONS, TYPES, JointRowSettings(special))
    rows = to_record_batch(featurizer(documents), JOINT_ROWS)
    return FeatureTable.from_batches([rows], JOINT_ROWS)


def columns(owner, *names):
    return torch.stack([getattr(owner, name) for name in names], 1).tolist()


def span_rows(spans):
    return columns(spans, "document", "sentence", "word_start", "word_end", "start", "end")


def same(one, other):
    """Tell whether two values are equal down to their last tensor."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def tokens_by_loop(made, special):
    """Tokens of a document and where those of each word begin and end."""
    tokenizer = pieces()._tokenizer
    ids, places = list(pieces().prefix) if special else [], []
    for word in (word for sentence in made.sentences for word in sentence):
        found = tokenizer(word, add_special_tokens=False)["input_ids"]
        places.append((len(ids), len(ids) + len(found)))
        ids += found
    return ids + (list(pieces().suffix) if special else []), places


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("chosen", [range(len(DOCUMENTS)), [6], [10, 2], [9]])
def test_all_candidates_equal_a_loop_over_documents(chosen, special):
    chosen, most = list(chosen), 3
    batch = JointExamples(most).collate(pieces(), SETTINGS)(table_of(DOCUMENTS, special)[chosen])
    assert len(batch) == len(chosen)
    assert batch.sample is None
    assert batch.mention_pairs is None
    assert batch.document_ids == tuple(DOCUMENTS[d].id for d in chosen)
    assert batch.documents.document_index.tolist() == chosen
    longest = max(1, *(len(tokens_by_loop(DOCUMENTS[d], special)[0]) for d in chosen), 1)
    expected = []
    for row, d in enumerate(chosen):
        made = DOCUMENTS[d]
        ids, places = tokens_by_loop(made, special)
        filled = ids + [pieces().pad_id] * (longest - len(ids))
        assert batch.documents.input_ids[row].tolist() == filled
        assert batch.documents.token_mask[row].sum() == len(ids)
        assert batch.documents.token_mask[row, : len(ids)].all()
        assert batch.words[row] == tuple(w for sentence in made.sentences for w in sentence)
        assert bool(batch.documents.labelled[row]) == (made.relations is not None)
        first = 0
        for s, sentence in enumerate(made.sentences):
            for size in range(1, most + 1):
                for start in range(first, first + len(sentence) - size + 1):
                    end = start + size
                    tokens = places[start][0], places[end - 1][1]
                    expected.append([row, s, start, end, *tokens])
            first += len(sentence)
        truth = batch.truth[row]
        assert truth.document_id == made.id
        assert len(truth.mention_start) == sum(len(e.mentions) for e in made.entities)
        assert len(truth.label_head) == len(made.relations or ())
    assert span_rows(batch.candidates) == expected


@pytest.mark.parametrize("special", [True, False])
def test_a_drawn_batch_tells_what_the_documents_say(special):
    """Decoded from tokens and numbers, entities and labels are those of the documents."""
    chosen = [0, 10, 6, 7, 2, 8, 5]
    examples = JointExamples(3, NegativeCounts(12, 0.5, 5, 4), special)
    make = examples.training_collate(pieces(), SETTINGS, seed=3)
    batch = make(table_of(DOCUMENTS, special)[EpochRows(chosen, 2)])
    sample = batch.sample
    assert batch.candidates is None
    for row, *_, first, last, start, end in span_rows(sample.spans):
        ids, places = tokens_by_loop(DOCUMENTS[chosen[row]], special)
        words = [w for sentence in DOCUMENTS[chosen[row]].sentences for w in sentence][first:last]
        tokens = batch.documents.input_ids[row, start:end].tolist()
        decoded = pieces()._tokenizer.decode(tokens).replace(" ", "")
        assert decoded == "".join(words).lower()
        assert (start, end) == (places[first][0], places[last - 1][1])
        assert tokens == ids[start:end]
    entities, labels = [], []
    for row, d in enumerate(chosen):
        made = DOCUMENTS[d]
        starts = np.cumsum([0, *map(len, made.sentences)])
        base = len(entities)
        for entity in made.entities:
            spans = [
                (row, starts[m.sentence] + m.start, starts[m.sentence] + m.end)
                for m in entity.mentions
            ]
            entities.append((sorted(spans), TYPES.index(entity.type)))
        labels += [
            (base + r.head, base + r.tail, RELATIONS.index(r.relation)) for r in made.relations
        ]
    places = columns(sample.spans, "document", "word_start", "word_end")
    of_entity = [sample.member[a:b].tolist() for a, b in pairwise(sample.entity_offset.tolist())]
    found = [sorted(tuple(places[m]) for m in members) for members in of_entity]
    assert list(zip(found, sample.entity_type.tolist(), strict=True)) == entities
    assert sample.mention_target[sample.member].all()
    pairs = columns(sample, "pair_head", "pair_tail")
    relations = sample.label_relation.tolist()
    told = [(*pairs[p], r) for p, r in zip(sample.label_pair.tolist(), relations, strict=True)]
    assert sorted(told) == sorted(labels)
    document_of = [span[0][0] for span, _ in entities]
    assert all(document_of[h] == document_of[t] and h != t for h, t in pairs)
    crossed = batch.mention_pairs
    expected = [
        (h, t, number)
        for number, (head, tail) in enumerate(pairs)
        for h in of_entity[head]
        for t in of_entity[tail]
    ]
    assert list(map(tuple, columns(crossed, "head", "tail", "pair"))) == expected
    for one, other in columns(sample, "first", "second"):
        assert places[one][0] == places[other][0]
        assert sample.mention_target[[one, other]].all()


def test_mention_pairs_only_where_they_are_wanted():
    table, chosen = table_of(DOCUMENTS), [0, 10]
    whole, bare = (
        JointExamples(3, mention_pairs=wanted).training_collate(pieces(), SETTINGS, 0)(
            table[chosen]
        )
        for wanted in (True, False)
    )
    assert len(whole.mention_pairs.pair) > 10
    assert bare.mention_pairs is None
    assert same(bare.sample, whole.sample)


def test_the_longest_span_of_a_batch():
    make = JointExamples(3).training_collate(pieces(), SETTINGS, 0)
    table = table_of(DOCUMENTS)
    for chosen in ([0, 1, 10], [6], [10]):
        sample = make(table[chosen]).sample
        spans = sample.spans
        lengths = zip(spans.start.tolist(), spans.end.tolist(), strict=True)
        assert sample.longest == max((end - start for start, end in lengths), default=0)
        assert type(sample.longest) is int
        unknown = join_samples([sample, replace(sample, longest=None)])
        assert unknown.longest is None


def test_draws_are_those_of_each_document_by_itself():
    counts = NegativeCounts(9, 0.5, 4, 3)
    make = JointExamples(4, counts).training_collate(pieces(), SETTINGS, seed=5)
    table = table_of(DOCUMENTS)
    for epoch, chosen in [(0, [3, 1]), (1, [1, 4, 3]), (0, [1])]:
        rows = table[EpochRows(chosen, epoch)]
        truths = truths_of(rows, words_of(rows))
        alone = [JointSampler(truth, 4).draw(counts, 5, epoch) for truth in truths]
        batch = make(rows)
        assert same(batch.sample, join_samples(alone))
        assert same(batch.truth, tuple(truths))
        assert same(make(table[EpochRows(chosen, epoch)]), batch)
        assert not same(make(table[EpochRows(chosen, epoch + 1)]).sample, batch.sample)


def test_hidden_labels_are_neither_true_nor_told_and_wrong_ones_are_both():
    documents = [document(seed, entities=4) for seed in range(30)]
    table = table_of(documents)
    noisy = apply_noise(table, LabelNoise(keep_labels=0.4, wrong_labels=0.5, seed=2), RELATIONS)
    labels = [
        (d, r.head, r.tail, RELATIONS.index(r.relation))
        for d, made in enumerate(documents)
        for r in made.relations
    ]
    seen = {label for label, keep in zip(labels, noisy.keep_label, strict=True) if keep}
    assert 0 < len(seen) < len(labels)
    wrong = set(zip(*(column.tolist() for column in noisy.added), strict=True))
    assert len(wrong) == round(0.5 * len(labels))
    assert wrong.isdisjoint(labels)
    seen |= wrong
    # all pairs, so that one without a label is there as well
    make = JointExamples(2, NegativeCounts(relations=999)).training_collate(pieces(), SETTINGS, 0)
    told = set()
    for chosen in ([7, 3], range(8, 30), [0, 1, 2, 4, 5, 6]):
        batch = make(noisy[list(chosen)])
        pairs = columns(batch.sample, "pair_head", "pair_tail")
        assert len(pairs) == 12 * len(chosen)
        names = columns(batch.sample, "label_pair", "label_relation")
        for pair, relation in names:
            head, tail = pairs[pair]
            told.add((chosen[head // 4], head % 4, tail % 4, relation))
        assert sum(len(truth.label_head) for truth in batch.truth) == len(names)
    assert told == seen


def test_samplers_are_made_once_and_not_kept_for_ever(monkeypatch):
    made = []

    class Counted(JointSampler):
        def __init__(self, truth, most):
            made.append(truth.document_id)
            super().__init__(truth, most)

    monkeypatch.setattr(collate, "JointSampler", Counted)
    monkeypatch.setattr(collate, "_REMEMBERED", 4)
    make = JointExamples().training_collate(pieces(), SETTINGS, 0)
    table = table_of(DOCUMENTS)
    for chosen in ([0, 1], [1, 0], [2, 1, 3]):
        make(table[chosen])
    assert made == [DOCUMENTS[d].id for d in (0, 1, 2, 3)]
    first = make(table[[4, 5]])
    assert made[4:] == [DOCUMENTS[d].id for d in (4, 5)]
    make(table[[2, 3, 5]])
    assert len(made) == 6
    again = make(table[[0, 1, 2, 3, 4, 5]])
    assert made[6:] == [DOCUMENTS[d].id for d in (0, 1)]
    assert again.document_ids == tuple(DOCUMENTS[d].id for d in range(6))
    copied = pickle.loads(pickle.dumps(make))
    assert not copied._samplers
    assert same(copied(table[[4, 5]]), first)


def test_batches_travel_between_processes_and_devices():
    table = table_of(DOCUMENTS)
    for make in (
        JointExamples().collate(pieces(), SETTINGS),
        JointExamples().training_collate(pieces(), SETTINGS, 0),
    ):
        batch = make(table[[0, 1, 10]])
        assert same(pickle.loads(pickle.dumps(batch)), batch)
        assert same(batch.to("cpu"), batch)
        moved = batch.to("meta")
        assert moved.documents.input_ids.is_meta
        assert moved.candidates is None or not moved.candidates.start.is_meta
        assert moved.sample is None or moved.sample.spans.start.is_meta
