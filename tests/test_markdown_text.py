"""Nothing in a text is markup, whoever reads the Markdown."""

from html import unescape

import markdown
import pytest

from docre.markdown_text import plain, table

HARD = r"50% & more_slots #1 {x} [y](z) $y$ ~~a~~ ^\ <b> | `c` *d* !"


@pytest.mark.parametrize(
    "text", [HARD, "# head", "1. item", "2) item", "- item", "+ item", "> quote", "--- x", "-0.5"]
)
def test_text_stays_what_it_is(text):
    assert unescape(markdown.markdown(plain(text))) == f"<p>{text}</p>"


@pytest.mark.parametrize("numbers", [False, True])
def test_cells_stay_what_they_are(numbers):
    text = table(["a", "b"], [[plain(HARD), "1"], ["c", "2"]], numbers)
    shown = unescape(markdown.markdown(text, extensions=["tables"]))
    assert HARD in shown
    assert shown.count("<td") == 4
    assert ("right" in shown) == numbers
