"""Equal to what the published joint system finds in whole documents."""

from __future__ import annotations

import json
from functools import cache
from itertools import accumulate

import pytest
import torch
from safetensors.torch import load_file

from docre.data.reading import read_documents
from docre.joint import candidate_spans
from docre.joint.inference import JointHeads, extract
from docre.joint.thresholds import JointThresholds
from docre.joint.to_documents import to_document
from docre.scoring.joint import score_joint
from tests.corpora import golden
from tests.golden.test_joint_eval import published
from tests.golden.test_joint_modules import DOCUMENTS, KINDS, close, document_lengths, model, read
from tests.joint.test_inference import joined, recorded

SETTINGS = ("default", "loose", "few", "one_cluster", "all_single")
RUNS = [(kind, setting) for kind in KINDS for setting in SETTINGS]


def path(name):
    return golden(f"joint/joint_inference/{name}")


@cache
def outputs(kind, setting):
    return json.loads(path(f"{kind}_{setting}.json").read_text())


@cache
def tensors(kind, setting):
    found = [{} for _ in DOCUMENTS]
    for name, tensor in load_file(path(f"{kind}_{setting}.safetensors")).items():
        document, _, name = name.removeprefix("doc").partition(".")
        found[int(document)][name] = tensor
    return found


def thresholds(setting):
    given = json.loads(path("settings.json").read_text())[setting]
    return JointThresholds(given["mention"], given["coref"], given["relation"])


def run(kind, setting, documents):
    """What is found in some documents, and the logits of all heads on the way."""
    joint, logits = model(kind), {}
    heads = JointHeads(
        recorded(joint.mention, "mention", logits),
        recorded(joint.coreference, "coreference", logits),
        recorded(joint.entity_states, "entity_states", logits),
        recorded(joint.entity, "entity", logits),
        recorded(joint.relation, "relation", logits),
    )
    largest = read("config.json")["max_span_words"]
    spans = joined(
        candidate_spans(*document_lengths(document), largest, row)
        for row, document in enumerate(documents)
    )
    expected = [tensors(kind, setting)[document] for document in documents]
    with torch.no_grad():
        states = joint.encode(documents)

    def edit(row, mentions):
        assert word_spans(mentions) == expected[row]["accepted_word_spans"].tolist()
        return expected[row]["edit"]

    found = extract(heads, states, spans, edit, thresholds(setting))
    return found, expected, logits


def word_spans(spans):
    return torch.stack((spans.word_start, spans.word_end), 1).tolist()


def groups(together):
    return [list(DOCUMENTS)] if together else [[document] for document in DOCUMENTS]


def canonical(words, entities, relations):
    """Mentions, entities and relations without an order."""
    sets = [
        (frozenset(tuple(words[mention]) for mention in members), kind)
        for members, kind in entities
    ]
    holding = {(sets[head], sets[tail], name): score for head, tail, name, score in relations}
    assert len(holding) == len(relations)
    return set(map(tuple, words)), set(sets), holding


def names(kind):
    return list(read("types.json")[kind])


def ours(found):
    types, relations = names("entities"), names("relations")
    members = [[] for _ in found.entity_type]
    for mention, entity in enumerate(found.mention_entity.tolist()):
        members[entity].append(mention)
    kinds = [types[index] for index in found.entity_type.tolist()]
    columns = (found.head, found.tail, found.relation, found.relation_probability)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    labels = [(head, tail, relations[relation], score) for head, tail, relation, score in rows]
    return canonical(word_spans(found.mentions), zip(members, kinds, strict=True), labels)


def theirs(raw):
    """From the published file of predictions, where entities list the numbers of mentions."""
    words = [(mention["start"], mention["end"]) for mention in raw["mentions"]]
    entities = [(entity["mentions"], entity["type"]) for entity in raw["entities"]]
    relations = [(r["head"], r["tail"], r["type"], None) for r in raw["relations"]]
    return canonical(words, entities, relations)


def theirs_with_scores(raw):
    """From the sorted form, where entities list spans."""
    words = [tuple(mention) for mention in raw["mentions"]]
    entities = [
        ([words.index(tuple(m)) for m in e["mentions"]], e["type"]) for e in raw["entities"]
    ]
    relations = [(r["head"], r["tail"], r["type"], r["score"]) for r in raw["relations"]]
    return canonical(words, entities, relations)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_predictions(kind, setting, together):
    stored = outputs(kind, setting)
    some = 0
    for documents in groups(together):
        found, _, _ = run(kind, setting, documents)
        assert len(found) == len(documents)
        for document, each in zip(documents, found, strict=True):
            mentions, entities, relations = ours(each)
            some += len(relations)
            for expected in (
                theirs(stored["predictions"][document]),
                theirs_with_scores(stored["canonical"][document]),
            ):
                assert mentions == expected[0]
                assert entities == expected[1]
                assert relations.keys() == expected[2].keys()
            assert relations == pytest.approx(expected[2], abs=1e-5)
    settings = json.loads(path("settings.json").read_text())[setting]["kinds"][kind]
    assert some == sum(settings["relations"])


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_logits(kind, setting, together):
    for documents in groups(together):
        found, expected, logits = run(kind, setting, documents)
        upper = [torch.triu_indices(*each["edit"].shape, 1).unbind() for each in expected]
        rows = zip(expected, upper, strict=True)
        wanted = torch.cat([each["coref_logits"][first, second] for each, (first, second) in rows])
        close(logits["coreference"], wanted)  # these pairs, and no others

        labels, pairs = [], []
        for each, stored in zip(found, expected, strict=True):
            close(each.mention_probability, stored["accepted_prob"])
            first = [each.mention_entity.tolist().index(e) for e in range(len(each.entity_type))]
            label = stored["cluster_of"][first]  # published label of each of our entities
            assert torch.equal(label[each.mention_entity], stored["cluster_of"])
            assert torch.equal(each.entity_type, stored["entity_types"][label])
            probability = stored["entity_logits"].softmax(1)[label].amax(1)
            close(each.entity_probability, probability)
            labels.append(label)
            place = {tuple(pair): row for row, pair in enumerate(stored["rel_pairs"].tolist())}
            label = label.tolist()
            ordered = [(h, t) for h in label for t in label if h != t]
            assert sorted(ordered) == sorted(place)
            pairs.append([place[pair] for pair in ordered])
        rows = list(zip(expected, labels, pairs, strict=True))
        close(logits["entity_states"], torch.cat([s["entity_repr"][at] for s, at, _ in rows]))
        close(logits["entity"], torch.cat([s["entity_logits"][at] for s, at, _ in rows]))
        close(logits["relation"], torch.cat([s["rel_logits"][at] for s, _, at in rows]))


def test_joint_inference_accepts_stored_candidates():
    accepted = [each["accepted"] for each in tensors("grc", "default")]
    _, _, logits = run("grc", "default", list(DOCUMENTS))
    candidates = [
        len(candidate_spans(*document_lengths(document), read("config.json")["max_span_words"]))
        for document in DOCUMENTS
    ]
    starts = [0, *accumulate(candidates)][:-1]
    wanted = torch.cat([each + start for each, start in zip(accepted, starts, strict=True)])
    found = (logits["mention"].sigmoid() >= thresholds("default").mention).nonzero().squeeze(1)
    assert torch.equal(found, wanted)


@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_scores(kind, setting):
    """Our documents, scored by us, have the published scores of published predictions."""
    gold = list(read_documents(golden("joint/jerex_modules/docs.json"), on_error="fix"))
    found, _, _ = run(kind, setting, list(DOCUMENTS))
    types, relations = names("entities"), names("relations")
    made = [
        to_document(true, each, types, relations) for true, each in zip(gold, found, strict=True)
    ]
    assert any(each.entities for each in made)
    assert outputs(kind, setting)["metrics"] == published(score_joint(gold, made))
