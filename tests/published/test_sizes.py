"""Sizes from shapes."""

from __future__ import annotations

import pytest
import torch

from docre.errors import DocreError
from docre.published.sizes import block_size, columns, layers, rows

WEIGHTS = {
    "matrix": torch.zeros(3, 24),
    "vector": torch.zeros(5),
    "stack.0.weight": torch.zeros(1),
    "stack.10.weight": torch.zeros(1),
    **{f"whole.{k}.norm.weight": torch.zeros(1) for k in range(11)},
}


def test_rows_and_columns():
    assert (rows(WEIGHTS, "matrix"), columns(WEIGHTS, "matrix"), rows(WEIGHTS, "vector")) == (
        *(3, 24),
        5,
    )
    with pytest.raises(DocreError, match="there is no bias"):
        rows(WEIGHTS, "bias")
    with pytest.raises(DocreError, match=r"vector is of shape \[5\]"):
        columns(WEIGHTS, "vector")


def test_layers():
    assert layers(WEIGHTS, "whole.") == 11
    with pytest.raises(DocreError, match=r"no stack\.1, but a stack\.10"):
        layers(WEIGHTS, "stack.")
    with pytest.raises(DocreError, match=r"no other\.0"):
        layers(WEIGHTS, "other.")


def test_block_size():
    assert block_size(WEIGHTS, "matrix", 12) == 2
    for width in (7, 24 * 2, 8):  # no multiple, too wide, 3 does not divide 8
        with pytest.raises(DocreError, match="matrix is over 24 products"):
            block_size(WEIGHTS, "matrix", width)
