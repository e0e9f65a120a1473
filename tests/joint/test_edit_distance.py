"""Distances beside the textbook recursion."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from docre.joint.edit_distance import edit_distances, phrases_of_tokens, phrases_of_words


def slow_distance(one, other):
    @cache
    def rest(i, j):
        if i == len(one) or j == len(other):
            return len(one) - i + len(other) - j
        if one[i] == other[j]:
            return rest(i + 1, j + 1)
        return 1 + min(rest(i + 1, j), rest(i, j + 1), rest(i + 1, j + 1))

    return rest(0, 0)


few_letters = st.text("abЖ 🐟\ud800", max_size=7)


@given(st.lists(few_letters | st.text(max_size=5), max_size=6))
def test_all_pairs(phrases):
    found = edit_distances(phrases)
    assert found.dtype == np.int64
    assert found.shape == (len(phrases), len(phrases))
    assert found.tolist() == [[slow_distance(a, b) for b in phrases] for a in phrases]


def test_long_phrases_are_not_limited():
    assert edit_distances(["a" * 5000, "", "b" * 70]).tolist() == [
        [0, 5000, 5000],
        [5000, 0, 70],
        [5000, 70, 0],
    ]


def test_phrases_of_words():
    words = ["U.S.", "and", "more"]
    assert phrases_of_words(words, [(0, 1), (0, 3), (1, 3)]) == [
        "U.S.",
        "U.S. and more",
        "and more",
    ]


def test_phrases_of_tokens_ask_for_clean_blanks():
    class Tokenizer:
        def decode(self, token_ids, clean_up_tokenization_spaces=False):
            assert isinstance(token_ids, list)
            assert clean_up_tokenization_spaces
            return " " + " ".join(map(str, token_ids)) + " "

    assert phrases_of_tokens(Tokenizer(), (4, 5, 6), [(0, 2), (2, 3)]) == ["4 5", "6"]


def test_the_bricks_do_without_the_package():
    code = "import sys; sys.modules['rapidfuzz'] = None; import docre.joint.edit_distance"
    subprocess.run([sys.executable, "-c", code], check=True)
