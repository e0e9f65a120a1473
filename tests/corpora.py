"""Where the golden numbers and the real corpora are, for tests that need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def golden(relative_path: str) -> Path:
    """Return a file or folder of golden numbers, or skip the test where there are none."""
    return _find("DOCRE_GOLDEN", "golden", relative_path)


def corpus(relative_path: str) -> Path:
    """Return a file of a real corpus, or skip the test where there is none."""
    return _find("DOCRE_DATA", "data", relative_path)


def _find(variable: str, folder: str, relative_path: str) -> Path:
    given = os.environ.get(variable)
    root = Path(given) if given else _SHARED / folder
    path = root / relative_path
    if path.exists():
        return path
    if given and not root.is_dir():
        pytest.fail(f"{variable} is set to {given}, which is not a folder")
    pytest.skip(f"there is no {path}" + ("" if given else f", and {variable} is not set"))
