"""Counts by document come back as they were, and give the scores they were counted for."""

import numpy as np
import pytest

from docre.comparison.document_counts import counts_path, flat_rates, read_counts, write_counts
from docre.errors import DocreError
from docre.scoring import Facts
from tests.comparison.folders import DOCUMENTS, FACTS, joint_scores_of, scores_of

OTHER = Facts.from_documents(DOCUMENTS[6:9], "other.json")


def written(tmp_path, scores):
    path = tmp_path / "scores" / "test.json"
    write_counts(path, scores)
    # not among the score files: others read every JSON file there
    assert list(path.parent.glob("*.json")) == []
    return read_counts(counts_path(path))


@pytest.mark.parametrize("facts", [(), (FACTS,), (FACTS, OTHER)])
def test_triples(tmp_path, facts):
    scores = scores_of(0.6, 1, facts=facts)
    found = written(tmp_path, scores)
    assert list(found) == ["triples"]
    counts = found["triples"]
    assert counts.documents == scores.counts.documents
    assert np.array_equal(counts.table, scores.counts.table)
    assert counts.rates(counts.totals()) == scores.counts.rates(scores.counts.totals())
    rates = flat_rates("triples", counts, counts.totals())
    flat = scores.to_dict()
    known = {name for name in flat if name.startswith(("f1", "precision", "recall", "ign_"))}
    known |= {name for name in flat if name.startswith("evidence_") and name[9:] != "gold"}
    for name in known - {"evidence_predicted", "evidence_correct"}:
        assert rates[name] == pytest.approx(flat[name], abs=1e-12), name


def test_joint_extraction(tmp_path):
    scores = joint_scores_of(0.7, 1)
    found = written(tmp_path, scores)
    assert list(found) == list(scores.reported())
    flat = scores.to_dict()
    for level, counts in found.items():
        rates = flat_rates(level, counts, counts.totals())
        assert set(rates) == {f"{level}_{part}" for part in ("f1", "precision", "recall")}
        for name, value in rates.items():
            assert value == pytest.approx(flat[name], abs=1e-12)


def test_scores_of_a_class_of_ones_own_have_no_counts(tmp_path):
    write_counts(tmp_path / "scores" / "test.json", object())
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"levels": {"triples": {"documents": ["a"], "table": [[1, 2]], "unknown": 0}}}',
        '{"levels": {"triples": {"documents": ["a"], "table": [["x", 2, 3]], "unknown": 0}}}',
    ],
)
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "test.json"
    path.write_text(text)
    with pytest.raises(DocreError, match=r"test\.json has no counts that can be read"):
        read_counts(path)
