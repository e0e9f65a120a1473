"""What stands in a card stands there as it is, whatever data called it."""

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from docre.data.relations import RelationSet
from docre.hub import read_model
from docre.hub.card import model_card
from docre.hub.descriptions import described

ODD = {
    "a`b": "ticks ``` inside",
    "`": "",
    "<img src=x onerror=alert(1)>": "<b>bold</b>",
    "two\nlines\n\n## Heading": "- one\n\n# Another",
    "[link](http://x)": "[link](http://x) *and* _more_ &lt;",
    "end``": "a|b",
}


@pytest.fixture(scope="module")
def contents(exported):
    return read_model(exported)


def words(text):
    return " ".join(text.split())


def test_odd_names_of_relations(contents):
    relations = RelationSet(tuple(ODD), {name: text for name, text in ODD.items() if text})
    body = model_card(replace(contents, relations=relations)).split("\n## Relations\n")[1]
    tokens = MarkdownIt().parse(body.split("\n## Citation\n")[0])
    assert [token.type for token in tokens].count("bullet_list_open") == 1
    assert not any(token.type in ("heading_open", "html_block", "fence") for token in tokens)
    shown = []
    for token in tokens:
        if token.type == "inline":
            name, *rest = token.children
            assert name.type == "code_inline"
            assert all(one.type in ("text", "text_special") for one in rest)
            shown.append((name.content, "".join(one.content for one in rest).removeprefix(": ")))
    assert shown == [(words(name), words(text)) for name, text in ODD.items()]


def test_plain_names_stay_as_they_are(contents):
    card = model_card(contents)
    for name, meaning in contents.relations.descriptions.items():
        assert f"\n* `{name}`: {meaning}\n" in card


def test_odd_facts(contents):
    run = {
        "command": ["docre", "fit", "`x`"],
        "parent": {"path": "a`b"},
        "data": {"<train>": {"documents": 3, "file": "`.json", "xxh3_128": "0"}},
    }
    shown = MarkdownIt().render(model_card(replace(contents, facts={"run": run})))
    assert "<code>docre fit `x`</code>" in shown
    assert "<code>a`b</code>" in shown
    assert "&lt;train&gt;: 3 documents, <code>`.json</code>" in shown


def test_descriptions_that_are_known():
    known = RelationSet.docred()
    assert described(RelationSet(("P27", "P17"))).descriptions == {
        "P27": "country of citizenship",
        "P17": "country",
    }
    assert described(RelationSet(("P27", "P17"))).names == ("P27", "P17")
    assert described(RelationSet(known.names)).descriptions == known.descriptions
    assert described(RelationSet(("P17",), {"P17": "Land"})).descriptions == {"P17": "Land"}
    # P17 of another set may be something else
    assert described(RelationSet(("P17", "own"), {"own": "x"})).descriptions == {"own": "x"}
