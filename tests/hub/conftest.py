"""One run of each kind for all tests here; nobody writes into them."""

from __future__ import annotations

import pytest

from docre.hub import save_pretrained
from tests.hub.runs import trained


@pytest.fixture(scope="session")
def pair_run():
    return trained("pair")


@pytest.fixture(
    scope="session", params=[pytest.param("joint", marks=pytest.mark.slow), "relations"]
)
def joint_run(request):
    return trained(request.param)


@pytest.fixture(scope="session")
def exported(pair_run, tmp_path_factory):
    return save_pretrained(pair_run, tmp_path_factory.mktemp("exported") / "model")
