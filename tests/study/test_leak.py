"""Companions of pairs, against loops over all of them."""

import random

import numpy as np
import pytest

from study import leak
from study.leak import area, told


def documents(count=5):
    draw = random.Random(0)
    made = []
    for _ in range(count):
        entities = draw.randint(2, 7)
        pairs = [(h, t) for h in range(entities) for t in range(entities) if h != t]
        labels = [{"h": h, "t": t, "r": "P17"} for h, t in draw.choices(pairs, k=4)]
        made.append({"vertexSet": [[]] * entities, "labels": labels})
    return made


@pytest.mark.parametrize("order", ["gold first", "row order"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_counts(monkeypatch, order, size):
    monkeypatch.setattr(leak, "CHUNK", 8)
    given = documents()
    shares, gold = [], []
    for first in range(0, len(given), size):
        listed = []
        for place, document in enumerate(given[first : first + size]):
            known = [(label["h"], label["t"]) for label in document["labels"]]
            count = len(document["vertexSet"])
            pairs = [(h, t) for h in range(count) for t in range(count) if h != t]
            if order == "gold first":
                pairs = [*dict.fromkeys(known), *(pair for pair in pairs if pair not in known)]
            listed += [(place, h, (h, t) in known) for h, t in pairs]
        for number, (place, head, is_gold) in enumerate(listed):
            same = [i for i, one in enumerate(listed) if one[:2] == (place, head)]
            shares.append(sum(i // 8 == number // 8 for i in same) / len(same))
            gold.append(is_gold)
    alone = [is_gold for share, is_gold in zip(shares, gold, strict=True) if share < 0.5]
    others = [is_gold for share, is_gold in zip(shares, gold, strict=True) if share >= 0.5]
    wins = [
        (mine < other) + (mine == other) / 2
        for mine, is_gold in zip(shares, gold, strict=True) if is_gold
        for other, other_gold in zip(shares, gold, strict=True) if not other_gold
    ]  # fmt: skip
    found = told(given, order, size)
    assert found["pairs"] == len(shares)
    assert found["alone"] == len(alone)
    assert found["gold_alone"] == pytest.approx(np.mean(alone) if alone else 0)
    assert found["gold_others"] == pytest.approx(np.mean(others))
    assert found["auc"] == pytest.approx(np.mean(wins))


def test_area():
    positive = np.array([False, True, True, False])
    assert area(np.array([1.0, 2.0, 3.0, 0.0]), positive) == 1.0
    assert area(np.array([1.0, 1.0, 1.0, 1.0]), positive) == 0.5
