"""Numbers as tables have them."""

from datetime import timedelta

import pytest

from docre.readable import duration, epochs, percent


@pytest.mark.parametrize("seconds", [0, 59.4, 59.6, 3599.7, 3725, 86399])
def test_a_duration(seconds):
    assert duration(seconds) == str(timedelta(seconds=round(seconds)))


def test_a_duration_of_days():
    assert duration(100 * 3600 + 61) == "100:01:01"


def test_numbers():
    assert percent(0.12345) == "12.35"
    assert percent(0) == "0.00"
    assert epochs(5, 3) == "5 (3)"
    assert epochs(5, None) == "5"
    assert [duration(None), percent(None), epochs(None, None)] == ["-"] * 3
