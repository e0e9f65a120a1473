"""Equal to the published scorer of joint extraction."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import accumulate, pairwise

import pytest

from docre.data.reading import read_documents
from docre.documents import Document, Entity, Mention, Relation
from docre.scoring.extraction import Annotation, extractions
from docre.scoring.joint import score_extractions, score_joint
from tests.corpora import golden

# the published names of the levels and numbers
LEVELS = {
    "mention": "mention",
    "coref": "coreference",
    "entity": "entity",
    "rel": "relation_relaxed",
    "rel_nec": "relation_strict",
}
NUMBERS = {
    f"{short}_{kind}": prefix + name
    for short, name in (("prec", "precision"), ("rec", "recall"), ("f1", "f1"))
    for kind, prefix in (("micro", ""), ("macro", "macro_"))
}
SETS = (
    "small_errors", "many_errors", "medium_errors", "perfect", "few_types", "empty_sides",
    "nothing_predicted", "nothing_gold", "all_empty", "wrong_type_only",
)  # fmt: skip
SETTINGS = ("default", "loose", "few", "one_cluster", "all_single")


@cache
def load(path):
    return json.loads(golden(f"joint/{path}").read_text())


def document(number, raw):
    entities = tuple(
        Entity(tuple(Mention(0, start, end) for start, end in entity["mentions"]), entity["type"])
        for entity in raw["entities"]
    )
    relations = tuple(Relation(r["head"], r["tail"], r["type"]) for r in raw["relations"])
    return Document(f"d{number}", (), entities, relations)


def extraction(number, raw):
    """A prediction may have mentions that are in no entity."""
    alone = frozenset((0, start, end) for start, end in raw["mentions"])
    found = Annotation.of(document(number, raw))
    return replace(found, mentions=found.mentions | alone)


def published(scores):
    flat = scores.to_dict()
    return {
        level: {
            number: pytest.approx(100 * flat[f"{ours}_{name}"], abs=1e-10)
            for number, name in NUMBERS.items()
        }
        for level, ours in LEVELS.items()
    }


@pytest.mark.parametrize("number", range(len(SETS)), ids=SETS)
def test_joint_eval(number):
    one = load("joint_eval/eval.json")["sets"][number]
    assert one["name"] == SETS[number]
    gold = extractions(document(n, raw) for n, raw in enumerate(one["gold"]))
    predicted = {f"d{n}": extraction(n, raw) for n, raw in enumerate(one["pred"])}
    assert one["metrics"] == published(score_extractions(gold, predicted))
    for name, expected in zip(gold, one["per_document"], strict=True):
        flat = score_extractions({name: gold[name]}, {name: predicted[name]}).to_dict()
        for level, ours in LEVELS.items():
            correct = flat[f"{ours}_correct"]
            wrong = flat[f"{ours}_predicted"] - correct
            missed = flat[f"{ours}_gold"] - correct
            counts = tuple(expected[level][key] for key in ("tp", "fp", "fn"))
            assert (correct, wrong, missed) == counts


def test_joint_eval_has_no_other_sets():
    assert tuple(one["name"] for one in load("joint_eval/eval.json")["sets"]) == SETS


@pytest.mark.parametrize("kind", ["grc", "mrc"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_joint_eval_of_whole_predictions(kind, setting):
    """From documents as a reader makes them, with sentences."""
    outputs = load(f"joint_inference/{kind}_{setting}.json")
    gold = list(read_documents(golden("joint/jerex_modules/docs.json"), on_error="fix"))
    predicted = [
        replace(true, entities=entities(true, raw), relations=document(0, raw).relations)
        for true, raw in zip(gold, outputs["canonical"], strict=True)
    ]
    assert sum(len(d.entities) for d in predicted) > 0
    assert outputs["metrics"] == published(score_joint(gold, predicted))


def entities(true, raw):
    """Put spans that count the words of the document into its sentences."""
    borders = list(pairwise(accumulate(map(len, true.sentences), initial=0)))
    return tuple(
        Entity(
            tuple(
                Mention(number, start - first, end - first)
                for start, end in entity["mentions"]
                for number, (first, last) in enumerate(borders)
                if first <= start < last
            ),
            entity["type"],
        )
        for entity in raw["entities"]
    )
