"""Average precision and the best F1, against going through all thresholds one by one."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from docre.decoding import ThresholdDecoder, ZeroDecoder
from docre.pair_tuning.shift import best_shift
from study.ranking import average_precision, best_f1, crossed_f1, margins_of, ranking_table

TRIPLES = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=20)


@given(TRIPLES)
def test_every_threshold_tried(triples):
    margins = np.array([margin for margin, _ in triples], np.float32)
    gold = np.array([is_gold for _, is_gold in triples])
    if not gold.any():
        gold[0] = True
    average, before, tried = 0.0, 0.0, []
    for threshold in sorted(set(margins.tolist()), reverse=True):
        above = margins >= threshold
        correct = int((above & gold).sum())
        recall = correct / gold.sum()
        average += (recall - before) * correct / above.sum()
        before = recall
        tried.append(2 * correct / (above.sum() + gold.sum()))
    assert average_precision(margins, gold) == pytest.approx(average)
    assert best_f1(margins, gold) == pytest.approx(max(tried))


def test_each_half_is_cut_where_the_other_one_says():
    margins = np.array([-6, -7, -8, 9, -4, -5, -9], np.float32)
    gold = np.array([True, True, False, True, False, True, False])
    half = np.array([0, 0, 0, 1, 1, 1, 1])
    # the first half is best cut at -7.5, where three of the second are left, two of them gold;
    # the second half at -7, where one of the first is left, which is gold
    assert best_shift(margins[:3], gold[:3], 2).shift == -7.5
    assert best_shift(margins[3:], gold[3:], 2).shift == -7
    correct, predicted = 1 + 2, 1 + 3
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
