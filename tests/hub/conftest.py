"""One run of each kind for all tests here; nobody writes into them."""

from __future__ import annotations

import pytest

from docre.hub import save_pretrained
from tests.hub.runs import trained


@pytest.fixture(scope="session")
def pair_run():
    return trained("pair")


@pytest.fixture(scope="session")
def joint_run():
    return trained("joint")


@pytest.fixture(scope="session")
def exported(pair_run, tmp_path_factory):
    return save_pretrained(pair_run, tmp_path_factory.mktemp("exported") / "model")
