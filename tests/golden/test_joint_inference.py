"""Equal to what the published joint system finds in whole documents."""

from __future__ import annotations

import pytest
import torch

from docre.data.reading import read_documents
from docre.joint import JointThresholds
from docre.joint.to_documents import to_document
from docre.scoring.joint import score_joint
from tests.corpora import golden
from tests.golden.joint_documents import (
    DOCUMENTS,
    KINDS,
    candidate_batch,
    check_found,
    listed,
    ours,
    stored,
    theirs,
    theirs_with_scores,
    word_spans,
)
from tests.golden.test_joint_eval import published
from tests.golden.test_joint_modules import FOLDER, model

SETTINGS = ("default", "loose", "few", "one_cluster", "all_single")
RUNS = [(kind, setting) for kind in KINDS for setting in SETTINGS]
GROUPS = {"alone": [[document] for document in DOCUMENTS], "together": [list(DOCUMENTS)]}


def outputs(kind, setting):
    return listed("joint_inference", f"{kind}_{setting}.json")


def settings(setting):
    return listed("joint_inference", "settings.json")[setting]


def run(kind, setting, documents):
    """What is found in some documents, and the published tensors of each."""
    joint, given = model(kind), settings(setting)
    expected = [stored("joint_inference", f"{kind}_{setting}")[d] for d in documents]

    def edit(row, mentions):
        assert word_spans(mentions) == expected[row]["accepted_word_spans"].tolist()
        return expected[row]["edit"]

    thresholds = JointThresholds(given["mention"], given["coref"], given["relation"])
    with torch.no_grad():
        states = joint.encode(documents)
    batch = candidate_batch(FOLDER, documents)
    return joint.network.extract(states, batch, edit, thresholds), expected


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_predictions(kind, setting, group):
    known = outputs(kind, setting)
    some = 0
    for documents in GROUPS[group]:
        found, _ = run(kind, setting, documents)
        assert len(found) == len(documents)
        for document, each in zip(documents, found, strict=True):
            mentions, entities, relations = ours(FOLDER, each)
            some += len(relations)
            for expected in (
                theirs(known["predictions"][document]),
                theirs_with_scores(known["canonical"][document]),
            ):
                assert mentions == expected[0]
                assert entities == expected[1]
                assert relations.keys() == expected[2].keys()
            assert relations == pytest.approx(expected[2], abs=1e-5)
    assert some == sum(settings(setting)["kinds"][kind]["relations"])


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_logits(kind, setting, group):
    for documents in GROUPS[group]:
        found, expected = run(kind, setting, documents)
        check_found(found, expected, model(kind).seen)


@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_margins(kind, setting):
    """No score is on the border, and ours are as far from it as the published ones."""
    found, expected = run(kind, setting, list(DOCUMENTS))
    seen, given = model(kind).seen, settings(setting)
    margins = given["kinds"][kind]
    for logits, name, threshold in (
        ("mention_logits", "mention", given["mention"]),
        ("rel_logits", "relation", given["relation"]),
    ):
        distance = (seen[logits].sigmoid() - threshold).abs().flatten()
        smallest = float(distance.min()) if len(distance) else 9.0
        assert smallest == pytest.approx(margins[f"margin_{name}"], abs=1e-5)
    assert [len(each.mentions) for each in found] == margins["accepted"]
    assert [len(each.entity_type) for each in found] == margins["clusters"]
    assert [len(each.relation) for each in found] == margins["relations"]
    starts = [len(candidate_batch(FOLDER, [document]).candidates) for document in DOCUMENTS]
    accepted = (seen["mention_logits"].sigmoid() >= given["mention"]).split(starts)
    for each, known in zip(accepted, expected, strict=True):
        assert torch.equal(each.nonzero().squeeze(1), known["accepted"])


@pytest.mark.parametrize(("kind", "setting"), RUNS)
def test_joint_inference_scores(kind, setting):
    """Our documents, scored by us, have the published scores of published predictions."""
    gold = list(read_documents(golden(f"joint/{FOLDER}/docs.json"), on_error="fix"))
    found, _ = run(kind, setting, list(DOCUMENTS))
    types, relations = (list(listed(FOLDER, "types.json")[k]) for k in ("entities", "relations"))
    made = [
        to_document(true, each, types, relations) for true, each in zip(gold, found, strict=True)
    ]
    assert any(each.entities for each in made)
    assert outputs(kind, setting)["metrics"] == published(score_joint(gold, made))
