"""Equal to every published copy of the official scorer, where it gives a number."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from docre.data.fact_files import read_facts
from docre.documents import Document, Entity, Mention, Relation
from docre.scoring import (
    DOCRED_FREQUENT,
    OFFICIAL,
    Convention,
    Gold,
    Prediction,
    RelationGroup,
    epsilon_f1,
    pair_rates,
    score,
)
from docre.scoring.counts import count, match
from tests.corpora import golden

TOP_TEN = RelationGroup(
    "top_10",
    frozenset({"P131", "P17", "P27", "P150", "P800", "P527", "P361", "P577", "P463", "P175"}),
)
DUMMY = Convention(dummy_evidence=True)
DUMMY_SUBSET = Convention(dummy_evidence=True, precision_over_all=True)
FROM_ONE = Convention(evidence_offset=1)

# the evaluators by their place in outputs.json: how each counts, and which relations
EVALUATORS = {
    "atlop": (OFFICIAL, None),
    "ssr_pu": (DUMMY, None),
    "ttm_re_test": (DUMMY, None),
    "ttm_re_testtop10": (DUMMY_SUBSET, TOP_TEN),
    "ttm_re_testbottom90": (DUMMY_SUBSET, TOP_TEN.others("rest")),
    "kd_docre": (OFFICIAL, None),
    "docunet": (OFFICIAL, None),
    "dreeam": (OFFICIAL, None),
    "re_docred": (FROM_ONE, None),
    "re_docred_benchmark": (FROM_ONE, None),
}
LISTS = (
    "noisy", "sparse", "bad", "single_correct", "empty",
    "sparse_plus_unknown_title", "gold", "noisy_first_2000",
)  # fmt: skip
CASES = [
    pytest.param(name, evaluator, id=f"{name}-evaluator{number}")
    for name in LISTS
    for number, evaluator in enumerate(EVALUATORS)
]
# where a published copy takes something defined for nothing, or raises
REFUSED = {
    ("single_correct", "re_docred_benchmark"),
    ("sparse_plus_unknown_title", "re_docred_benchmark"),
}


@cache
def load(name):
    return json.loads(golden(f"eval/{name}.json").read_text())


@cache
def compiled():
    documents = [
        Document(
            id=raw["title"],
            sentences=(),
            entities=tuple(
                Entity(tuple(Mention(m["sent_id"], 0, 1, surface=m["name"]) for m in mentions))
                for mentions in raw["vertexSet"]
            ),
            relations=tuple(
                Relation(label["h"], label["t"], label["r"], tuple(label["evidence"]))
                for label in raw["labels"]
            ),
        )
        for raw in load("truth")
    ]
    facts = [
        read_facts(golden(f"eval/facts_{name}.json"), name)
        for name in ("train_annotated", "train_distant")
    ]
    return documents, Gold.compile(documents, facts)


def prediction(raw):
    evidence = tuple(raw.get("evidence", ()))
    return Prediction(raw["title"], raw["h_idx"], raw["t_idx"], raw["r"], evidence)


def predictions(name):
    lists = load("predictions")
    match name:
        case "empty":
            return []
        case "gold":
            return [
                Prediction(d.id, r.head, r.tail, r.relation, r.evidence)
                for d in compiled()[0]
                for r in d.relations
            ]
        case "sparse_plus_unknown_title":
            return [prediction(raw) for raw in lists["sparse"] + lists["extra_unknown_title"]]
        case "noisy_first_2000":
            return [prediction(raw) for raw in lists["noisy"][:2000]]
    return [prediction(raw) for raw in lists[name]]


def measured(name, convention, only):
    """Every number under the names of the outputs."""
    gold = compiled()[1]
    rows = gold.encode(predictions(name))
    counts = count(match(rows, gold, convention), gold, convention, only)
    values = {key: float(value) for key, value in counts.rates(counts.totals()).items()}
    sets = [DOCRED_FREQUENT, DOCRED_FREQUENT.others("long_tail")]
    groups = score(predictions(name), gold, sets, convention).groups
    renamed = {key.replace("evidence", "evi").replace("/", "_"): v for key, v in values.items()}
    for group, short in zip(
        ("frequent", "long_tail", "intra", "inter"),
        ("freq", "long_tail", "intra", "inter"),
        strict=True,
    ):
        rates = groups[group]
        renamed |= {
            f"f1_{short}": rates.f1,
            f"precision_{short}": rates.precision,
            f"recall_{short}": rates.recall,
        }
    return renamed


@pytest.mark.parametrize(("name", "evaluator"), CASES)
def test_eval(name, evaluator):
    outputs = load("outputs")
    assert set(outputs) == set(LISTS)
    assert set(outputs[name]) - {"n_entries"} == set(EVALUATORS)
    expected = outputs[name][evaluator]
    values = measured(name, *EVALUATORS[evaluator])
    if "error" in expected or (name, evaluator) in REFUSED:
        # the defined value: all zero without a prediction, else that of the official scorer
        assert all(0 <= value <= 1 for value in values.values())
        reference = outputs[name]["re_docred"]
        assert {key: values[key] for key in reference} == pytest.approx(reference, abs=1e-12)
        return
    assert expected
    assert {key: values[key] for key in expected} == pytest.approx(expected, abs=1e-12, rel=1e-12)


def test_eval_counts_all_entries():
    for name in LISTS:
        number = load("outputs")[name].get("n_entries")
        assert number is None or number == len(predictions(name))


def stacked(name, part):
    return np.concatenate([np.array(d[part]) for d in load("bio_inputs")[name]])


def test_eval_pairs():
    expected = load("bio_outputs")
    rates = pair_rates(*(stacked("chemdisgene_style", part) for part in ("labels", "pred")))
    wanted = expected["ssr_pu_chemdisgene_style"]
    assert rates.f1 == pytest.approx(wanted["f1"], abs=1e-6)
    assert 100 * rates.precision == pytest.approx(wanted["re_p"], abs=1e-4)
    assert 100 * rates.recall == pytest.approx(wanted["re_r"], abs=1e-4)
    assert 100 * rates.f1 == pytest.approx(wanted["test_F1"], abs=1e-4)
    for name in ("cdr_style", "cdr_nothing_predicted"):
        found = pair_rates(stacked(name, "labels"), stacked(name, "pred"))
        wanted = expected[f"atlop_{name}"]
        assert epsilon_f1(found)[2] == pytest.approx(wanted["f1"], abs=1e-6)
        assert 100 * epsilon_f1(found)[2] == pytest.approx(wanted["dev_f1"], abs=1e-4)
