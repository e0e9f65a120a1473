"""The dashboard in a real browser, served by a real TensorBoard."""

from __future__ import annotations

import pytest

from docre.dashboard.hparams_tab import FOLDER
from tests.dashboard.server import see, tensorboard, visit
from tests.report.browser import browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def address(trained):
    with tensorboard(trained.parent) as url:
        yield url


def test_charts_stand_where_the_layout_puts_them(tab, address):
    visit(tab, f"{address}/#custom_scalars")
    see(
        tab, "F1 and Ign F1", "precision and recall", "parts of the loss in training", "Matches (2)"
    )


def test_settings_and_scores_fill_the_hparams_tab(tab, address, tmp_path):
    visit(tab, f"{address}/#hparams", width=1900)
    text = see(tab, "head.memory.slots", "loss.risk", "hp/dev_f1", "hp/dev_ign_f1", FOLDER)
    lines = text.split("\n")
    assert not any("init_args" in line or "train/" in line for line in lines)
    tab.shoot(tmp_path / "hparams.png")
    assert (tmp_path / "hparams.png").stat().st_size > 20_000


def test_pictures_are_drawn(tab, address):
    visit(tab, f"{address}/#images", height=2600)
    see(tab, "attention/1", "memory/map", "memory/slots", "relations", pictures=4)


def test_texts_are_shown_as_tables(tab, address):
    visit(tab, f"{address}/#text", height=2600)
    text = see(tab, "synthetic-", "margin", "evidence", "labelled")
    assert "**" not in text
    assert "&" not in text
