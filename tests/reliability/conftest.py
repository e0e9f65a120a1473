"""The table that ``make test-reliability`` ends with."""

import pytest

from tests.reliability.figures import ROWS, Figures, table


@pytest.fixture(scope="session")
def figures():
    """Where a test puts the numbers it found."""
    return Figures()


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # the process that starts the others
        ROWS.unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter):
    rows = table()
    if rows:
        terminalreporter.section("reliability")
        width = max(len(row) for row, _ in rows)
        for row, text in rows:
            terminalreporter.line(f"{row:<{width}}  {text}")
