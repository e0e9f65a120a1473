"""One tiny training for all tests that look at what it leaves."""

import pytest

from docre.dashboard import Dashboard
from tests.dashboard.runs import SHORT, fit, work_in


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    return work_in(tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(scope="session")
def trained(workplace):
    """A run with everything on its dashboard."""
    return fit(workplace, Dashboard(examples=2, drawings=2), "with", *SHORT)
