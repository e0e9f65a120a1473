"""Rows of joint models beside published numbers and a loop over words."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import accumulate

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertTokenizer

from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.formats.docred import DocREDJson
from docre.data.modules import BatchSettings
from docre.data.pieces import Pieces
from docre.data.relations import RelationSet
from docre.documents import Document, Entity, Mention, Relation
from docre.errors import DataError
from docre.joint import JointSampler, JointTruth, NegativeCounts, edit_distances
from docre.joint_data import JointExamples, JointFeaturizer, JointRowSettings
from docre.joint_data.rows import JOINT_ROWS
from docre.joint_data.truths import truths_of, words_of
from tests.corpora import golden
from tests.toy import RELATIONS, TYPES, document, pieces


@cache
def read(path):
    return json.loads(golden(f"joint/{path}").read_text())


@cache
def published(folder):
    """The published documents, and what makes rows of them."""
    vocabulary = {piece: number for number, piece in enumerate(read(f"{folder}/vocab.json"))}
    made = Pieces(BertTokenizer(vocab=vocabulary, do_lower_case=False))
    data = golden(f"joint/{folder}/docs.json").read_bytes()
    documents = [
        # without the reader: it would refuse a label that is there twice
        DocREDJson().parse(record, number)[0]
        for number, record in enumerate(DocREDJson().split(data))
    ]
    types = read(f"{folder}/types.json")
    relations = RelationSet(tuple(types["relations"]))
    settings = JointRowSettings(special_tokens=False)
    return made, documents, JointFeaturizer(made, relations, tuple(types["entities"]), settings)


def table_of(rows):
    return FeatureTable.from_batches([to_record_batch(rows, JOINT_ROWS)], JOINT_ROWS)


def array(numbers):
    return np.array(numbers, dtype=np.int64)


def published_truth(folder, number):
    """A document of the published layout in our numbers, without any code of rows."""
    raw, ids = read(f"{folder}/docs.json")[number], read(f"{folder}/tokenized.json")[number]
    types = read(f"{folder}/types.json")
    type_of, relation_of = (list(types[name]).index for name in ("entities", "relations"))
    first = [0, *accumulate(map(len, raw["sents"]))]
    mentions = [
        (first[m["sent_id"]] + m["pos"][0], first[m["sent_id"]] + m["pos"][1], entity)
        for entity, found in enumerate(raw["vertexSet"])
        for m in found
    ]
    words = [word for sentence in raw["sents"] for word in sentence]
    labels = dict.fromkeys((one["h"], one["t"], relation_of(one["r"])) for one in raw["labels"])
    return JointTruth(
        raw["title"],
        array([len(sentence) for sentence in raw["sents"]]),
        array([0, *accumulate(len(word) for sentence in ids for word in sentence)]),
        *array(mentions).reshape(-1, 3).T,
        array([type_of(found[0]["type"]) for found in raw["vertexSet"]]),
        *array(list(labels)).reshape(-1, 3).T,
        edit_distances([" ".join(words[start:end]) for start, end, _ in mentions]),
    )


@pytest.mark.parametrize("folder", ["jerex_modules", "sampling"])
def test_published_tokens_and_annotations(folder):
    _, documents, featurizer = published(folder)
    rows = featurizer(documents)
    tokenized = read(f"{folder}/tokenized.json")
    assert len(rows) == len(tokenized) > 1
    for row, ids in zip(rows, tokenized, strict=True):
        assert row.input_ids == [number for sentence in ids for word in sentence for number in word]
        lengths = [len(word) for sentence in ids for word in sentence]
        assert row.word_token == [0, *accumulate(lengths)]
    fetched = table_of(rows)[range(len(rows))]
    for number, ours in enumerate(truths_of(fetched, words_of(fetched))):
        theirs = published_truth(folder, number)
        for name in JointTruth.__slots__:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)


def test_published_candidates_in_one_batch():
    made, documents, featurizer = published("jerex_modules")
    most = read("jerex_modules/config.json")["max_span_words"]
    rows = table_of(featurizer(documents))[range(len(documents))]
    batch = JointExamples(most).collate(made, BatchSettings())(rows)
    for number in range(len(documents)):
        theirs = load_file(golden(f"joint/jerex_modules/doc{number}.safetensors"))
        ours = batch.candidates.of((batch.candidates.document == number).nonzero().squeeze(1))
        tokens = batch.documents.input_ids[number][batch.documents.token_mask[number]]
        assert torch.equal(tokens, theirs["input_ids"])
        assert torch.equal(torch.stack((ours.start, ours.end), 1), theirs["cand.spans"])
        words = torch.stack((ours.word_start, ours.word_end), 1)
        assert torch.equal(words, theirs["cand.word_spans"])
        assert torch.equal(ours.sentence, theirs["cand.sent"])


def tokens_by_loop(word):
    tokenizer = pieces()._tokenizer
    return tokenizer(word, add_special_tokens=False)["input_ids"] or [tokenizer.unk_token_id]


HARD = [
    Document("no sentence", (), relations=()),
    Document("empty sentences", ((), ()), relations=()),
    Document("a word that is nothing", (("Mia", "\u200b", "x\u00ad"), ("Bo",)), relations=()),
    Document(
        "one mention of two, and twice",
        (("Mia", "and", "Bo"), (), ("Arle",)),
        (
            Entity((Mention(0, 0, 3), Mention(0, 0, 3)), "PER"),
            Entity((Mention(0, 0, 3), Mention(2, 0, 1)), "LOC"),
        ),
        (Relation(1, 0, "born_in"), Relation(1, 0, "works_for"), Relation(1, 0, "born_in")),
    ),
    Document("without labels", (("Mia",),), (Entity((Mention(0, 0, 1),)),)),
]
DOCUMENTS = [*HARD, *(document(seed) for seed in range(8)), document(99, labelled=False)]


@pytest.mark.parametrize("special", [True, False])
def test_rows_equal_a_loop_over_words(special):
    featurizer = JointFeaturizer(pieces(), RELATIONS, TYPES, JointRowSettings(special))
    for made, row in zip(DOCUMENTS, featurizer(DOCUMENTS), strict=True):
        ids = list(pieces().prefix) if special else []
        starts, place, words = [], {}, []
        for s, sentence in enumerate(made.sentences):
            for w, word in enumerate(sentence):
                place[s, w] = len(words)
                words.append(word)
                starts.append(len(ids))
                ids += tokens_by_loop(word)
        assert row.id == made.id
        assert row.words == words
        assert row.word_token == [*starts, len(ids)]
        assert row.input_ids == ids + (list(pieces().suffix) if special else [])
        assert row.num_tokens == len(row.input_ids)
        assert row.sentence_words == [len(sentence) for sentence in made.sentences]
        expected = [
            (place[m.sentence, m.start], place[m.sentence, m.end - 1] + 1, e)
            for e, entity in enumerate(made.entities)
            for m in entity.mentions
        ]
        spans = zip(row.mention_start, row.mention_end, row.mention_entity, strict=True)
        assert list(spans) == expected
        assert row.entity_type == [TYPES.index(e.type) if e.type else -1 for e in made.entities]
        assert row.labelled == (made.relations is not None)
        labels = list(zip(row.label_head, row.label_tail, row.label_relation, strict=True))
        assert len(labels) == len(set(labels))
        assert set(labels) == {
            (r.head, r.tail, RELATIONS.index(r.relation)) for r in made.relations or ()
        }
        assert row.num_pairs == sum(1 for _ in replace(made, candidates=None).pairs())


def test_candidate_pairs_of_a_data_set_do_not_count():
    made = document(3, entities=4)
    few = replace(made, candidates=((0, 1),), relations=())
    assert JointFeaturizer(pieces(), RELATIONS, TYPES)([few])[0].num_pairs == 12


def test_what_cannot_be_tokenised_is_refused():
    long = JointRowSettings(max_tokens=9)
    with pytest.raises(DataError, match="max_tokens is 9") as caught:
        JointFeaturizer(pieces(), RELATIONS, TYPES, long)(DOCUMENTS)
    too_long = [p.document for p in caught.value.problems]
    rows = JointFeaturizer(pieces(), RELATIONS, TYPES)(DOCUMENTS)
    assert too_long == [row.id for row in rows if row.num_tokens > 9]
    assert 0 < len(too_long) < len(DOCUMENTS)
    nameless = copy(pieces())
    nameless.unknown_id = None
    with pytest.raises(DataError, match="'a word that is nothing', sentences") as caught:
        JointFeaturizer(nameless, RELATIONS, TYPES)(DOCUMENTS)
    assert len(caught.value.problems) == 1


def test_a_sampler_takes_every_row():
    """What is unusual in a document is not unusual to the samples made of it."""
    rows = JointFeaturizer(pieces(), RELATIONS, TYPES)(DOCUMENTS)
    fetched = table_of(rows)[range(len(rows))]
    for truth, made in zip(truths_of(fetched, words_of(fetched)), DOCUMENTS, strict=True):
        sample = JointSampler(truth).draw(NegativeCounts(), 0, 0)
        assert len(sample.member) == sum(len(entity.mentions) for entity in made.entities)
        assert len(sample.label_pair) == len(
            {(r.head, r.tail, r.relation) for r in made.relations or ()}
        )
