"""Average precision and the best F1, against going through all thresholds one by one."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.decoding import ThresholdDecoder, ZeroDecoder
from study.ranking import crossed_f1, margins_of, ranked, ranking_table

TRIPLES = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=20)


@given(TRIPLES)
def test_every_threshold_tried(triples):
    margins = np.array([margin for margin, _ in triples], np.float32)
    gold = np.array([is_gold for _, is_gold in triples])
    if not gold.any():
        gold[0] = True
    average, before, tried = 0.0, 0.0, {}
    for threshold in sorted(set(margins.tolist()), reverse=True):
        above = margins >= threshold
        correct = int((above & gold).sum())
        precision, recall = correct / above.sum(), correct / gold.sum()
        average += (recall - before) * precision
        before = recall
        tried[threshold] = (2 * correct / (above.sum() + gold.sum()), precision, recall)
    found = ranked(margins, gold)
    assert found["average_precision"] == pytest.approx(average)
    assert found["best_f1"] == pytest.approx(max(f1 for f1, *_ in tried.values()))
    expected = tried[found["threshold"]]
    assert (found["best_f1"], found["precision"], found["recall"]) == pytest.approx(expected)


def test_each_half_is_cut_where_the_other_one_says():
    margins = np.array([3, 2, 1, 9, 5, 4, 0], np.float32)
    gold = np.array([True, True, False, True, False, True, False])
    half = np.array([0, 0, 0, 1, 1, 1, 1])
    # cut at 4 nothing of the first half is left, cut at 2 three of the second, two of them gold
    assert ranked(margins[:3], gold[:3])["threshold"] == 2
    assert ranked(margins[3:], gold[3:])["threshold"] == 4
    correct, predicted = 0 + 2, 0 + 3
    assert crossed_f1(margins, gold, half) == 2 * correct / (predicted + 4)


@pytest.mark.parametrize(
    ("decoder", "expected"), [(ThresholdDecoder(), [1, -1, -3, 2]), (ZeroDecoder(), [3, 1, -2, 3])]
)
def test_margins_are_over_what_decides(decoder, expected):
    class Labels:
        label_pair = torch.tensor([1])
        label_relation = torch.tensor([1])

    logits = torch.tensor([[2.0, 3.0, 1.0], [1.0, -2.0, 3.0]])
    margins, gold = margins_of(logits, Labels, decoder)
    assert margins.tolist() == expected
    assert gold.tolist() == [False, False, False, True]
    assert (margins > 0).tolist() == decoder.mask(logits).flatten().tolist()


def test_a_table_of_what_was_ranked(tmp_path):
    for cell, seeds in {"two": (66, 67), "none": ()}.items():
        for seed in seeds:
            folder = tmp_path / cell / f"seed_{seed}" / "scores"
            folder.mkdir(parents=True)
            (folder / "test.json").write_text(json.dumps({"scores": {"f1": seed / 100}}))
            made = {"average_precision": 0.25, "best_f1": seed / 100, "crossed_f1": 0.125}
            (folder / "ranking.json").write_text(json.dumps(made))
    # scored, but not ranked yet: of no row
    (tmp_path / "two/seed_68/scores").mkdir(parents=True)
    (tmp_path / "two/seed_68/scores/test.json").write_text(json.dumps({"scores": {"f1": 0.1}}))
    rows = {"Two": tmp_path / "two", "None": tmp_path / "none"}
    assert ranking_table(rows).splitlines()[2:] == [
        "| Two | 66.5 ± 0.7 | 25.0 ± 0.0 | 12.5 ± 0.0 | 66.5 ± 0.7 | 2 |"
    ]
    assert ranking_table({"None": tmp_path / "none"}) == ""
