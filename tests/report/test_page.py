"""The page in a browser: filters, highlights, keys, and that nothing in a text can do anything."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from docre.documents import Document, Relation
from docre.report.content import page_content
from docre.report.page import render_page
from docre.report.reading import PredictedRelations
from docre.scoring import Prediction, score
from tests.report.browser import browser
from tests.report.corpus import empty, entity, nasty, noisy, overlapping
from tests.toy import RELATIONS, document

TOYS = [document(seed) for seed in range(150)]
CORPUS = [overlapping(), nasty(), *TOYS, *empty()]
PREDICTED = noisy(CORPUS, RELATIONS.names)
PREDICTED["overlapping"] = [
    Relation(0, 1, "in", (0, 1), 2.0, {"margin": 1.0}),
    Relation(2, 3, "in", (1,), 1.0),
]
TITLES = "[...document.querySelectorAll('#list .title')].map(e => e.textContent)"
ROWS = (
    "[...document.querySelectorAll('.triples tbody tr[data-triple]')]"
    ".map(r => [...r.cells].map(c => c.textContent))"
)
PRESSED = (
    "[...document.querySelectorAll('.text .mention[aria-pressed=true]')]"
    ".map(e => e.textContent.trim())"
)


@pytest.fixture(scope="module")
def content():
    return page_content(CORPUS, PredictedRelations(PREDICTED), True)


@pytest.fixture(scope="module")
def page(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("page") / "page #1 & more.html"
    path.write_bytes(render_page(content, "Test").encode())
    return path


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_goes_wrong(tab):
    """After each test: no script failed, no policy was broken, no other file was asked for."""
    yield
    tab.ask("1")
    assert tab.said("Runtime.exceptionThrown", "Log.entryAdded") == []
    asked = {e["request"]["url"].partition("#")[0] for e in tab.said("Network.requestWillBeSent")}
    assert all(url.startswith("file:") and url.endswith(".html") for url in asked)
    assert len(asked) == 1


def classes(tab, name):
    return tab.ask(
        f"[...document.querySelectorAll('.text .{name}')].map(e => e.textContent.trim())"
    )


def test_header_has_the_scores(tab, page):
    tab.open(page)
    listed_ = [
        Prediction(name, r.head, r.tail, r.relation) for name, rs in PREDICTED.items() for r in rs
    ]
    scores = score(listed_, CORPUS)
    shown = tab.ask("document.getElementById('scores').textContent")
    for name, value in (("F1", scores.f1), ("P", scores.precision), ("R", scores.recall)):
        assert f"{name} {100 * value:.2f}" in shown
    assert f"{scores.overall.correct} true" in shown
    assert "156 documents" in shown


def test_texts_stand_there_and_do_nothing(tab, page):
    one = nasty()
    tab.open(page, f"#{urlencode({'doc': one.id})}")
    assert tab.ask("document.querySelector('h2').textContent") == one.id
    texts = tab.ask("[...document.querySelectorAll('.text li > [dir]')].map(e => e.textContent)")
    assert texts == [" ".join(words) for words in one.sentences]
    assert tab.ask("typeof window.broken") == "undefined"
    assert (
        tab.ask("document.querySelectorAll('#document img, #document script, #list img').length")
        == 0
    )
    names = tab.ask(ROWS)
    assert {one.entities[0].id, one.entities[1].id} <= {cell for row in names for cell in row}


def test_policy_holds(tab, page):
    tab.open(page)
    tab.ask(
        "new Promise(done => { const made = document.createElement('script');"
        " made.textContent = 'window.broken = 1'; document.body.append(made);"
        " const image = new Image(); image.onerror = done; image.src = 'http://127.0.0.1:9/x.png';"
        " document.body.append(image); })"
    )
    assert tab.ask("typeof window.broken") == "undefined"
    refused = tab.said("Log.entryAdded")
    assert all("Content Security Policy" in e["entry"]["text"] for e in refused)
    assert len(refused) == 2
    tab.open(page)


@pytest.mark.parametrize(
    "state",
    [
        {"show": "false"},
        {"show": "true,missed"},
        {"show": "none"},
        {"relation": "born_in"},
        {"distance": "inter"},
        {"distance": "intra", "show": "missed", "relation": "works_for"},
    ],
)
def test_filters(tab, page, content, state):
    names = [row["name"] for row in content["relations"]]
    bands = {"intra": lambda d: d == 0, "inter": lambda d: d > 0, None: lambda d: True}

    def wanted(triple):
        return (
            triple[3] in state.get("show", triple[3]).split(",")
            and names[triple[1]] == state.get("relation", names[triple[1]])
            and bands[state.get("distance")](triple[8])
        )

    expected = {one["id"]: [t for t in one["triples"] if wanted(t)] for one in content["documents"]}
    expected = {name: triples for name, triples in expected.items() if triples}
    tab.open(page, f"#{urlencode(state)}")
    assert tab.scrolled(TITLES) == list(expected)
    shown = []
    for name, triples in list(expected.items())[:3]:
        tab.click("#list button", list(expected).index(name))
        rows = tab.ask(ROWS)
        assert [row[0].split()[-1] for row in rows] == [t[3] for t in triples]
        assert [row[2] for row in rows] == [names[t[1]] for t in triples]
        shown += rows
    assert bool(shown) == bool(expected)


def test_filters_by_hand_stand_in_the_address(tab, page):
    tab.open(page)
    before = tab.ask(TITLES)
    tab.click("#filters [name=show]", 0)
    tab.click("#filters [name=show]", 2)
    tab.ask(
        "(() => { const s = document.querySelector('[name=relation]'); s.value = 'born_in';"
        " s.dispatchEvent(new Event('change')); })()"
    )
    tab.click("#list button", 1)
    shown, titles, address = tab.ask(ROWS), tab.ask(TITLES), tab.ask("location.hash")
    assert titles != before
    assert {row[0].split()[-1] for row in shown} == {"false"}
    assert "show=false" in address
    tab.open(page, address)
    assert (tab.ask(ROWS), tab.ask(TITLES)) == (shown, titles)
    assert tab.ask("[...document.querySelectorAll('[name=show]')].map(e => e.checked)")[:3] == [
        False,
        True,
        False,
    ]
    tab.ask("[...document.querySelectorAll('#filters button')].at(-1).click()")
    assert tab.ask(TITLES) == before
    assert "show" not in tab.ask("location.hash")


def test_back_goes_to_the_document_before(tab, page):
    tab.open(page)
    tab.click("#list button", 3)
    tab.click("#list button", 5)
    heading = "document.querySelector('h2').textContent"
    assert tab.ask(heading) == CORPUS[5].id
    moved = (
        "new Promise(done => { addEventListener('popstate', () => setTimeout(done));"
        " history.back(); })"
    )
    tab.ask(moved)
    assert tab.ask(heading) == CORPUS[3].id
    tab.ask(moved)
    assert tab.ask(heading) == CORPUS[0].id


def test_any_address_opens(tab, page):
    tab.open(
        page,
        "#doc=none&sort=constructor&entity=length&triple=-1&view=x&by=toString&show=x&distance=x",
    )
    assert tab.ask(ROWS) == []
    tab.open(page, "#doc=none&entity=99&triple=99&relation=&q=%zz%00")
    tab.open(page, "#doc=none&entity=99&triple=99")
    assert tab.ask("document.querySelector('h2').textContent") == CORPUS[0].id
    assert tab.ask("document.querySelectorAll('#list .title').length") == 100


@pytest.mark.parametrize("order", ["f1", "-f1", "-errors", "id"])
def test_documents_are_sorted(tab, page, content, order):
    def key(one):
        verdicts = [t[3] for t in one["triples"]]
        right, wrong, missed = map(verdicts.count, ("true", "false", "missed"))
        f1 = 2 * right / (2 * right + wrong + missed) if right + wrong + missed else None
        last = f1 is None
        return {
            "f1": (last, f1 or 0),
            "-f1": (last, -(f1 or 0)),
            "-errors": -wrong - missed,
            "id": one["id"].encode("utf-16-be"),
        }[order]

    tab.open(page, f"#sort={order}")
    assert tab.scrolled(TITLES) == [one["id"] for one in sorted(content["documents"], key=key)]


def test_search(tab, page):
    tab.open(page, "#q=FRANCE+london")
    assert tab.ask(TITLES) == ["overlapping"]
    tab.ask(
        "(() => { const s = document.querySelector('[name=q]'); s.value = 'toy 77';"
        " s.dispatchEvent(new Event('input')); })()"
    )
    tab.ask("new Promise(done => setTimeout(done, 300))")
    assert tab.ask(TITLES) == ["toy 77"]


def test_an_entity_lights_up_with_its_relations(tab, page):
    tab.open(page, "#doc=overlapping")
    assert len(tab.ask(ROWS)) == 4
    tab.click(".text [role=button]", 0)  # University of
    assert tab.ask(PRESSED) == ["University of", "London", "It"]
    assert {row[1] for row in tab.ask(ROWS)} == {"University of London"}
    assert "University of London" in tab.ask("document.querySelector('.chosen').textContent")
    tab.press("Escape")
    assert tab.ask(PRESSED) == []
    assert len(tab.ask(ROWS)) == 4


def test_each_of_overlapping_mentions_can_be_chosen(tab, page):
    tab.open(page, "#doc=overlapping")
    assert tab.ask("document.querySelector('.text li > [dir]').textContent") == " ".join(
        CORPUS[0].sentences[0]
    )
    seen = []
    for _ in range(4):  # London: alone, in the university, in what crosses it, and none again
        tab.click(".text [role=button]", 1)
        seen.append(tab.ask(PRESSED))
    london, of = "London", "University of"
    assert seen == [[london], [of, london, "It"], [london, "and", "Paris"], []]


def test_a_relation_lights_up_head_tail_and_evidence(tab, page):
    tab.open(page, "#doc=overlapping")
    tab.click(".triples tbody button", 0)
    assert "triple=0" in tab.ask("location.hash")
    assert classes(tab, "head") == ["University of", "It"]
    assert classes(tab, "tail") == ["London"]
    marks = "[...document.querySelectorAll('.text .mark')].map(e => e.textContent)"
    assert tab.ask(marks) == ["evidence", "evidence (predicted)"]
    assert "University of London" in tab.ask("document.getElementById('status').textContent")
    hover = "document.querySelectorAll('.triples tbody tr')[1].dispatchEvent(new MouseEvent('{}'))"
    tab.ask(hover.format("mouseenter"))
    assert tab.ask(marks) == ["", "evidence"]
    assert classes(tab, "tail") == ["of", "France"]  # Paris is the head's
    tab.ask(hover.format("mouseleave"))
    assert tab.ask(marks) == ["evidence", "evidence (predicted)"]
    tab.click(".triples tbody button", 0)
    assert tab.ask(marks) == ["", ""]
    assert classes(tab, "head") == []
    tab.click(".triples tbody button", 3)  # a missed one has evidence of the gold alone
    assert tab.ask(marks) == ["evidence", "evidence"]


def test_verdicts_are_told_by_word_and_symbol(tab, page):
    tab.open(page, "#doc=overlapping")
    rows = tab.ask(ROWS)
    assert [row[0] for row in rows] == ["✓ true", "✗ false", "○ missed", "○ missed"]
    assert rows[0][4:] == ["2.00 margin 1.00", "0, 1 gold: 0", "intra"]
    assert rows[3][5] == "gold: 0, 1"


def test_keys(tab, page):
    tab.open(page, "#doc=overlapping")
    tab.ask("document.querySelector('#list button').focus()")
    tab.press("ArrowDown")
    tab.press("ArrowDown")
    tab.press("ArrowUp")
    tab.press("Enter")
    assert tab.ask("document.querySelector('h2').textContent") == CORPUS[1].id
    assert tab.ask("document.querySelectorAll('[aria-current=true]').length") == 1
    tab.open(page, "#doc=overlapping")
    tab.ask("document.getElementById('document').focus()")
    reached = []
    for _ in range(30):
        tab.press("Tab")
        reached.append(tab.ask("document.activeElement.getAttribute('aria-label')"))
    assert (
        "Paris: London and Paris, LOC, 1 mention; inside of Paris of France, MISC, 1 mention"
        in reached
    )
    assert any(label and label.startswith("missed: ") for label in reached)
    tab.ask("document.querySelector('.text [role=button]').focus()")
    tab.press("Enter")
    assert tab.ask(PRESSED) == ["University of", "London", "It"]
    assert tab.ask("document.activeElement.textContent") == "University of"


def test_relations_are_sorted_by_any_column(tab, page, content):
    tab.open(page, "#view=relations")
    column = (
        "[...document.querySelectorAll('#relations tbody tr')].map(r => r.cells[{}].textContent)"
    )
    gold = [int(text) for text in tab.ask(column.format(4))]
    assert gold == sorted(gold, reverse=True)
    assert sum(gold) == content["scores"]["gold"]
    tab.click("[data-by=f1]")
    falling = [-1 if t == "–" else float(t) for t in tab.ask(column.format(1))]
    assert falling == sorted(falling, reverse=True)
    assert len(set(falling)) > 3
    assert tab.ask("document.querySelector('[aria-sort=descending]').textContent") == "F1 ▼"
    tab.click("[data-by=f1]")
    rising = [-1 if t == "–" else float(t) for t in tab.ask(column.format(1))]
    assert rising == sorted(rising)
    names = tab.ask(column.format(0))
    tab.click("#relations .link", names.index("born_in"))
    assert tab.ask("document.querySelector('[name=relation]').value") == "born_in"
    assert {row[2] for row in tab.ask(ROWS)} == {"born_in"}


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_sticks_out(tab, page, width):
    for state in ("#doc=overlapping", f"#{urlencode({'doc': CORPUS[1].id})}", "#view=relations"):
        tab.open(page, state, width=width)
        assert tab.ask("document.documentElement.scrollWidth <= window.innerWidth")


def test_dark_mode(tab, page):
    back = "getComputedStyle(document.body).backgroundColor"
    tab.open(page)
    light = tab.ask(back)
    tab.open(page, dark=True)
    assert tab.ask(back) != light


@pytest.mark.parametrize("one", empty(), ids=lambda one: one.id)
def test_empty_documents(tab, page, one):
    tab.open(page, f"#{urlencode({'doc': one.id})}")
    assert tab.ask("document.querySelector('h2').textContent") == one.id
    assert tab.ask("document.querySelectorAll('.text li').length") == len(one.sentences)
    assert len(tab.ask(ROWS)) == len({(r.head, r.tail, r.relation) for r in PREDICTED[one.id]})


def test_predicted_entities_are_marked(tab, tmp_path):
    gold = overlapping()
    entities = (gold.entities[0], entity("PER", (1, 2, 3)), gold.entities[4])
    own = replace(gold, entities=entities, relations=(Relation(0, 1, "in"), Relation(0, 2, "in")))
    told = PredictedRelations({gold.id: list(own.relations)}, {gold.id: own})
    path = tmp_path / "joint.html"
    path.write_bytes(render_page(page_content([gold], told, True), "Joint").encode())
    tab.open(path)
    assert [row[0] for row in tab.ask(ROWS)] == ["✗ false", "✓ true", "○ missed", "○ missed"]
    marked = "[...document.querySelectorAll('.text .mention.{} .symbol')].map(e => e.textContent)"
    assert tab.ask(marked.format("false")) == ["✗"]
    assert set(tab.ask(marked.format("missed"))) == {"○"}
    assert "false entity" in tab.ask("document.querySelector('.mention.false').ariaLabel")
    assert "entities F1" in tab.ask("document.getElementById('scores').textContent")


def test_predicted_entities_may_cut_words(tab, tmp_path):
    text = "Anti-TNFalpha fell. Bob rose."
    gold = Document.from_text("cut", text, [[(5, 8)], [(20, 23)]], [(0, 1, "r")])
    own = Document.from_text("cut", text, [[(20, 23)], [(5, 13)]], [(1, 0, "r")])
    assert gold.sentences != own.sentences
    told = PredictedRelations({"cut": list(own.relations)}, {"cut": own})
    path = tmp_path / "cut.html"
    path.write_bytes(render_page(page_content([gold], told, True), "Cut").encode())
    tab.open(path)
    lines = "[...document.querySelectorAll('.text li')].map(e => e.innerText)"
    shown = [re.sub("[✓✗○]", "", line).strip() for line in tab.ask(lines)]
    assert shown == ["Anti-TNFalpha fell.", "Bob rose."]
    assert [row[0] for row in tab.ask(ROWS)] == ["✗ false", "○ missed"]
    # the piece that both mentions have is shown as that of the shorter one
    assert classes(tab, "mention") == ["○TNF", "alpha", "Bob"]


def test_a_page_without_documents(tab, tmp_path):
    path = tmp_path / "none.html"
    path.write_bytes(render_page(page_content([], PredictedRelations({}), True), "None").encode())
    tab.open(path)
    assert "no documents" in tab.ask("document.getElementById('document').textContent")


def test_documents_that_are_not_judged(tab, tmp_path):
    path = tmp_path / "free.html"
    content = page_content(
        [Document.from_words("d", [["a", "b"]], [[(0, 0, 1)], [(0, 1, 2)]])],
        PredictedRelations({"d": [Relation(0, 1, "r", (0,), 0.5)]}),
        False,
    )
    path.write_bytes(render_page(content, "Free").encode())
    tab.open(path)
    assert [row[0] for row in tab.ask(ROWS)] == ["· not judged"]
    assert "F1" not in tab.ask("document.getElementById('scores').textContent")
