"""Our parameters from published ones: what is used, missing and left."""

from __future__ import annotations

import pytest
import torch

from docre.published.origins import Origin, by_prefix, collect, ours_of

TABLE = {"head.": "top.", "head.deep.": "cellar."}


def test_the_longest_prefix_counts():
    find = by_prefix(TABLE)
    assert find("head.bias").names == ("top.bias",)
    assert find("head.deep.bias").names == ("cellar.bias",)
    assert find("head.deeper").names == ("top.deeper",)
    with pytest.raises(KeyError, match="tail"):
        find("tail.bias")


def test_collect():
    given = {"top.a": torch.ones(2), "top.b": torch.zeros(3), "more": torch.ones(1)}
    find = {
        "ours.both": Origin(("top.a", "top.b"), lambda *parts: torch.cat(parts)),
        "ours.half": Origin(("top.a", "nowhere")),
        "ours.none": Origin(("nowhere",)),
    }.__getitem__
    found = collect(["ours.both", "ours.half", "ours.none"], find, given)
    assert list(found.weights) == ["ours.both"]
    assert found.weights["ours.both"].tolist() == [1, 1, 0, 0, 0]
    assert found.missing == ("nowhere",)
    assert found.left == ("more",)


def test_ours_of_leaves_out_what_is_joined():
    find = {"one": Origin(("a",)), "two": Origin(("b", "c"))}.__getitem__
    assert ours_of(["one", "two"], find) == {"a": "one"}
