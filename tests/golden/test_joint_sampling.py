"""Equal to the published training samples: what can be drawn, how much, and its order."""

from __future__ import annotations

import json
from functools import cache
from itertools import accumulate

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertTokenizer

from docre.joint import all_mention_pairs
from docre.joint.edit_distance import edit_distances, phrases_of_tokens, phrases_of_words
from docre.joint.samples import JointTruth
from docre.joint.sampling import JointSampler, NegativeCounts
from tests.corpora import golden

ALL = NegativeCounts(spans=10**6, inside_share=1.0, coreference=10**6, relations=10**6)
DOCUMENTS = (0, 1)
SETTINGS = ("default", "loose", "few", "one_cluster", "all_single")


@cache
def read(path):
    return json.loads(golden(f"joint/{path}").read_text())


@cache
def tokenizer(folder):
    vocabulary = {piece: number for number, piece in enumerate(read(f"{folder}/vocab.json"))}
    return BertTokenizer(vocab=vocabulary, do_lower_case=False)


@cache
def truth(folder, number):
    """A document of the published layout in our numbers."""
    raw, pieces = read(f"{folder}/docs.json")[number], read(f"{folder}/tokenized.json")[number]
    types = read(f"{folder}/types.json")
    type_of = {name: index for index, name in enumerate(types["entities"])}
    relation_of = {name: index for index, name in enumerate(types["relations"])}
    lengths = [len(sentence) for sentence in raw["sents"]]
    first = [0, *accumulate(lengths)]
    mentions = [
        (first[m["sent_id"]] + m["pos"][0], first[m["sent_id"]] + m["pos"][1], entity)
        for entity, found in enumerate(raw["vertexSet"])
        for m in found
    ]
    labels = [(one["h"], one["t"], relation_of[one["r"]]) for one in raw["labels"]]
    words = [word for sentence in raw["sents"] for word in sentence]
    tokens = [len(word) for sentence in pieces for word in sentence]
    start, end, entity = array(mentions).reshape(-1, 3).T
    return JointTruth(
        raw["title"],
        array(lengths),
        array([0, *accumulate(tokens)]),
        start,
        end,
        entity,
        array([type_of[found[0]["type"]] for found in raw["vertexSet"]]),
        *array(labels).reshape(-1, 3).T,
        edit_distances(phrases_of_words(words, [span[:2] for span in mentions])),
    )


def array(numbers):
    return np.array(numbers, dtype=np.int64)


def columns(owner, *names):
    return torch.stack([getattr(owner, name) for name in names], 1).tolist()


def span_rows(spans):
    return columns(spans, "sizes", "word_start", "word_end", "start", "end")


@pytest.mark.parametrize("number", DOCUMENTS)
def test_sampling_spans(number):
    expected, one = read(f"sampling/doc{number}.json"), truth("sampling", number)
    gold = [[m["size"], *m["word_span"], *m["span"]] for m in expected["gold_mentions"]]
    assert expected["negatives"]
    for most, groups in expected["negatives"].items():
        whole = JointSampler(one, int(most)).draw(ALL, 0, 0)
        assert span_rows(whole.spans) == gold + groups["inside"] + groups["distinct"]
    sentences = [m["sent"] for m in expected["gold_mentions"]]
    assert whole.spans.sentence[: len(gold)].tolist() == sentences


@pytest.mark.parametrize("number", DOCUMENTS)
def test_sampling_counts(number):
    expected, one = read(f"sampling/doc{number}.json"), truth("sampling", number)
    gold = len(expected["gold_mentions"])
    # the name says how many were asked for
    names = ("coref_negative_drawn_of_", "relation_negative_drawn_of_")
    drawn_of = {name: next(key for key in expected if key.startswith(name)) for name in names}
    asked_pairs = {key: int(key.rpartition("_")[2]) for key in drawn_of.values()}
    drawn_pairs = [expected[key] for key in asked_pairs]
    for row in expected["draws"]:
        groups = expected["negatives"][str(row["K"])]
        asked = NegativeCounts(row["neg_mention_count"], row["ratio"], *asked_pairs.values())
        sample = JointSampler(one, row["K"]).draw(asked, 3, 1)
        drawn = span_rows(sample.spans)[gold:]
        assert len(drawn) == row["total"]
        assert sum(span in groups["inside"] for span in drawn) == row["inside_drawn"]
        assert sum(span in groups["distinct"] for span in drawn) == row["distinct_drawn"]
        together = int(sample.coreference_target.sum())
        labelled = len(expected["relation_positive"])
        assert [len(sample.first) - together, len(sample.pair_head) - labelled] == drawn_pairs


@pytest.mark.parametrize("number", DOCUMENTS)
def test_sampling_pairs(number):
    expected = read(f"sampling/doc{number}.json")
    sample = JointSampler(truth("sampling", number), 5).draw(ALL, 0, 0)
    found = columns(sample, "first", "second", "edit_distance")
    assert found == expected["coref_positive"] + expected["coref_negative_all"]
    assert int(sample.coreference_target.sum()) == len(expected["coref_positive"])
    members = sample.member.split(sample.entity_offset.diff().tolist())
    assert [m.tolist() for m in members] == expected["entities"]
    assert sample.entity_type.tolist() == expected["entity_types"]
    positive = expected["relation_positive"]
    pairs = [row["pair"] for row in positive] + expected["relation_negative_all"]
    assert columns(sample, "pair_head", "pair_tail") == pairs
    target = sample.relation_target(len(read("sampling/types.json")["relations"]))
    assert target[: len(positive)].tolist() == [row["multi_hot"] for row in positive]
    assert not target[len(positive) :].any()


@pytest.mark.parametrize("number", DOCUMENTS)
def test_sampling_mention_pairs(number):
    expected = read(f"sampling/doc{number}.json")["mention_pairs"]
    s = JointSampler(truth("sampling", number), 5).draw(ALL, 0, 0)
    found = all_mention_pairs(s.pair_head, s.pair_tail, s.member, s.entity_offset, s.spans)
    gaps = columns(found.gaps, "start", "end", "token_distance", "sentence_distance")
    rows = [
        [head, tail, *gaps[gap]]
        for head, tail, gap in zip(
            found.head.tolist(), found.tail.tolist(), found.gap.tolist(), strict=True
        )
    ]
    assert rows == [row for one in expected for row in one["rows"]]
    assert columns(s, "pair_head", "pair_tail") == [one["pair"] for one in expected]


@pytest.mark.parametrize("number", range(5))
def test_sampling_of_training(number):
    """One published draw: what is true is equal, the rest as much and of the same sets."""
    numbers = load_file(golden(f"joint/jerex_modules/doc{number}.safetensors"))
    n = {name[6:]: tensor for name, tensor in numbers.items() if name.startswith("train.")}
    asked = read("jerex_modules/losses.json")["sampling_arguments"]
    config = read("jerex_modules/config.json")
    sampler = JointSampler(truth("jerex_modules", number), config["max_span_words"])
    counts = NegativeCounts(asked["nm"], asked["ratio"], asked["nc"], asked["nr"])
    sample, whole = sampler.draw(counts, 0, 0), sampler.draw(ALL, 0, 0)

    assert torch.equal(sample.mention_target, n["mention_types"].float())
    gold = int(n["mention_types"].sum())
    their_spans = torch.cat((n["mention_word_spans"], n["mention_spans"]), 1).tolist()
    names = ("word_start", "word_end", "start", "end")
    compare(columns(sample.spans, *names), their_spans, columns(whole.spans, *names), gold)
    if len(whole.spans) == len(sample.spans):
        assert torch.equal(sample.spans.sizes.sort()[0], n["mention_sizes"].sort()[0])

    assert torch.equal(sample.member, n["entity_mentions"])
    assert torch.equal(sample.entity_offset, n["entity_offsets"])
    assert torch.equal(sample.entity_type, n["entity_types"])

    assert torch.equal(sample.coreference_target, n["coref_types"].float())
    together = int(n["coref_types"].sum())
    their_pairs = torch.cat((n["coref_pairs"], n["coref_edit"][:, None]), 1).tolist()
    names = ("first", "second", "edit_distance")
    compare(columns(sample, *names), their_pairs, columns(whole, *names), together)

    labelled = int(n["rel_types"].any(1).sum())
    names = ("pair_head", "pair_tail")
    compare(columns(sample, *names), n["rel_pairs"].tolist(), columns(whole, *names), labelled)
    target = sample.relation_target(config["n_relation_types"])
    assert torch.equal(target, n["rel_types"].float())


def compare(ours, theirs, whole, true):
    assert ours[:true] == theirs[:true]
    assert len(ours) == len(theirs)
    assert all(row in whole[true:] for row in ours[true:] + theirs[true:])


@pytest.mark.parametrize("number", DOCUMENTS)
def test_sampling_phrases(number):
    expected = read(f"sampling/doc{number}.json")
    raw, pieces = read("sampling/docs.json")[number], read("sampling/tokenized.json")[number]
    mentions = expected["gold_mentions"]
    words = [word for sentence in raw["sents"] for word in sentence]
    train = phrases_of_words(words, [m["word_span"] for m in mentions])
    assert train == [m["phrase_train"] for m in mentions]
    assert edit_distances(train).tolist() == expected["edit_train"]
    ids = [piece for sentence in pieces for word in sentence for piece in word]
    infer = phrases_of_tokens(tokenizer("sampling"), ids, [m["span"] for m in mentions])
    assert infer == [m["phrase_infer"] for m in mentions]
    assert edit_distances(infer).tolist() == expected["edit_infer"]


@pytest.mark.parametrize("kind", ["grc", "mrc"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_edit_distances_of_inference(kind, setting):
    numbers = load_file(golden(f"joint/joint_inference/{kind}_{setting}.safetensors"))
    compared = 0
    for number in range(5):
        inputs = load_file(golden(f"joint/jerex_modules/doc{number}.safetensors"))
        spans = inputs["cand.spans"][numbers[f"doc{number}.accepted"]].tolist()
        ids = inputs["input_ids"].tolist()
        phrases = phrases_of_tokens(tokenizer("jerex_modules"), ids, spans)
        expected = numbers[f"doc{number}.edit"]
        assert edit_distances(phrases).tolist() == expected.tolist()
        compared += len(phrases)
    assert compared
