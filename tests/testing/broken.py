"""Runs a tester and says which of its checks fail."""

from __future__ import annotations

import inspect
import re

import pytest


def suite_of(base, piece, **says):
    """Return a tester of a piece, as an author writes it in three lines."""
    return type("Tester", (base,), {"make": lambda _, *sizes: piece(*sizes), **says})


def failures(tester, *fixtures, only=(), leaving_out=("compiled_is_the_same",)):
    """Return what each failing check says, by its name.

    Args:
        tester: A test class.
        fixtures: What its checks are given first.
        only: Checks to run; all if there are none.
        leaving_out: Checks not to run; compiling takes long.
    """
    found = {}
    for name, check in inspect.getmembers(tester, inspect.isfunction):
        bare = name.removeprefix("test_")
        if bare == name or bare in leaving_out or bare not in (only or {bare}):
            continue
        marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
        for value in marks[0].args[1] if marks else (None,):
            try:
                check(tester(), *fixtures, *([value] if marks else []))
            except pytest.skip.Exception:
                pass
            except Exception as error:
                found.setdefault(bare, f"{type(error).__name__}: {error}")
    return found


# each broken piece with the checks that should fail, and, slowly, with all that should not
THOROUGHLY = pytest.mark.parametrize(
    "thoroughly", [False, pytest.param(True, marks=pytest.mark.slow)]
)


def assert_fails_just(found, checks, message):
    """Check which checks failed, and that they say what is wrong."""
    assert set(found) == checks, found
    assert all(text.startswith("AssertionError") for text in found.values()), found
    assert re.search(message, " ".join(found.values())), found
