"""Example predictions and attention: what is said of a document, and that it stays text."""

from __future__ import annotations

import itertools
from html import unescape
from random import Random
from types import SimpleNamespace

import markdown
import numpy as np
import pytest

from docre.dashboard.attended_pair import AttendedPair, shown_label
from docre.dashboard.attention_figure import attention_figure
from docre.dashboard.drawing import pixels
from docre.dashboard.example_extractions import ExampleExtractions, extraction_page
from docre.dashboard.example_predictions import example_page
from docre.dashboard.markdown import plain
from docre.dashboard.shown_documents import ShownDocuments
from docre.dashboard.word_places import word_places
from docre.data.features import FeatureSettings, Featurizer
from docre.documents import Document, Relation
from docre.triples import PredictedTriple
from tests.toy import RELATIONS, TYPES, document, pieces


def made(relations=((0, 1, "born_in"), (1, 0, "has | child"))):
    words = ["Ada", "*was*", "born", "in", "|", "London", "<script>alert(1)</script>"]
    entities = [[(0, 0, 1)], [(0, 5, 6)]]
    return Document.from_words("a <b>title</b>", [words], entities, relations)


def predicted(head, tail, relation, margin):
    return PredictedTriple("a <b>title</b>", head, tail, relation, margin, margin, (0,))


def test_right_wrong_and_missed():
    triples = [predicted(0, 1, "in", 0.5), predicted(0, 1, "born_in", 2.0)]
    page = example_page(made(), triples, {"born_in": "born in"})
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| ✓ | Ada | born in | London | 2.00 | 1 |",
        "| ✗ | Ada | in | London | 0.50 | 1 |",
        "| ○ | London | has &#124; child | Ada |  |  |",
    ]
    assert "✓ 1 right, ✗ 1 wrong, ○ 1 missed" in page


def test_nothing_in_a_document_is_markup():
    page = example_page(made(), [])
    for tag in ("<script", "<b>", "*was*"):
        assert tag not in page
    shown = markdown.markdown(page, extensions=["markdown.extensions.tables"])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<em>" not in shown
    assert "<td>has &#124; child</td>" in shown


@pytest.mark.parametrize(
    "text", ["a_b_c", "# head", "1. item", "- item", "> quote", "[x](y)", "`c`", "a|b", "~a~"]
)
def test_plain_text_stays_what_it_is(text):
    shown = markdown.markdown(f"x {plain(text)}").removeprefix("<p>x ").removesuffix("</p>")
    assert unescape(shown) == text


def test_a_long_page_says_what_it_leaves_out():
    triples = [predicted(0, 1, f"r{number}", number) for number in range(60)]
    page = example_page(made(()), triples)
    assert page.count("| ✗ |") == 40
    assert "and 20 more" in page
    assert "labelled" not in page
    assert "not labelled" in example_page(made(None), triples)


@pytest.mark.parametrize("markers", ["entity", "typed", "none"])
def test_words_are_found_among_tokens(markers):
    settings = FeatureSettings(markers=markers)
    maker = Featurizer(pieces(), RELATIONS, TYPES, settings)
    documents = [document(seed) for seed in range(30)]
    for one, row in zip(documents, maker(documents), strict=True):
        words = [word for sentence in one.sentences for word in sentence]
        table = pieces().of_words(words)
        places = word_places(row.input_ids, words, table)
        assert [row.input_ids[a:b] for a, b in places] == [table[word] for word in words]
        for (_, end), (start, _) in itertools.pairwise(places):
            assert end <= start
        # every mention's first word lies within the mention
        base = np.cumsum([0, *map(len, one.sentences)])
        mentions = [m for entity in one.entities for m in entity.mentions]
        for mention, start, end in zip(mentions, row.mention_token, row.mention_end, strict=True):
            first = places[base[mention.sentence] + mention.start]
            assert start <= first[0] < first[1] <= end


def test_words_that_were_cut_off():
    table = {word: [number] for number, word in enumerate("abcdef")}
    assert len(word_places([0, 1, 2, 3, 99], list("abcdef"), table)) == 4
    assert word_places([0, 77, 78, 79, 99], list("abcdef"), table) is None


def labelled(name, count=2):
    words = [[f"w{number}" for number in range(count)]]
    return Document.from_words(name, words, [[(0, n, n + 1)] for n in range(count)], [(0, 1, "r")])


def test_examples_are_the_first_ones_that_are_seen():
    file = [Document.from_words("bare", [["w"]], [[(0, 0, 1)]]), *map(labelled, "abcdef")]
    expected = ["b", "d"]  # a validation of a part of them
    for order in itertools.permutations(["b", "d", "e", "f", "bare", "stranger"]):
        shown = ShownDocuments(file, 2)
        for name in order:
            shown.see([name])
        assert shown.names == expected
    assert list(shown.only({"d": 1, "e": 2, "b": 3})) == expected
    shown = ShownDocuments(file[:1], 2)
    shown.see(["bare"])
    assert shown.names == ["bare"]  # nothing is labelled at all


def test_the_pair_of_a_document_is_its_first_with_evidence():
    labels = [Relation(0, 1, "a"), Relation(1, 2, "b", (0,)), Relation(2, 0, "c", (1,))]
    one = Document("x", (("w",),), relations=tuple(labels))
    every = {(0, 1), (1, 2), (2, 0)}
    assert shown_label(one, every) == labels[1]
    assert shown_label(one, every - {(1, 2)}) == labels[2]
    assert shown_label(one, {(0, 1)}) == labels[0]
    assert shown_label(one, {(5, 6)}) is None
    assert shown_label(Document("y", (("w",),)), every) is None


def test_what_a_joint_model_finds():
    words = [["Ada", "met", "|", "Bo", "."], ["Ada", "left", "Bonn", "."]]
    spans = [[(0, 0, 1), (1, 0, 1)], [(0, 3, 4)], [(1, 2, 3)]]
    gold = Document.from_words("one", words, spans, [(0, 1, "met"), (0, 2, "left")])
    found = Document.from_words(
        "one", words, [*spans[:2], [(1, 1, 3)]], [(1, 0, "met"), (0, 1, "met")]
    )
    page = extraction_page(gold, found, ["mention", "entity", "relation_strict"], {"met": "knows"})
    assert "**Mentions**: ✓ 3 right, ✗ 1 wrong, ○ 1 missed" in page
    assert "**Entities**: ✓ 2 right, ✗ 1 wrong, ○ 1 missed" in page
    assert "**Relations**: ✓ 1 right, ✗ 1 wrong, ○ 1 missed" in page
    rows = unescape(page).replace("\\", "").splitlines()
    assert "| ✗ | left Bonn | 2 |" in rows
    assert "| ○ |  | Bonn [2] |" in rows
    assert "| ✓ | Ada [1]; Ada [2] () | knows | Bo [1] () |" in rows
    shown = markdown.markdown(page, extensions=["markdown.extensions.tables"])
    assert shown.count("<table>") == 3


def test_listening_to_a_model_ends():
    class Model:
        def extract(self, batch):
            return [labelled(name) for name in batch]

    model, part, shown = Model(), ExampleExtractions(), ShownDocuments([*map(labelled, "abc")], 1)
    shown.see("cb")
    (hook,) = part.watch(SimpleNamespace(model=model, examples=shown))
    assert [one.id for one in model.extract("cb")] == ["c", "b"]
    assert list(part._found) == ["b"]
    hook.remove()
    shown.see("a")
    model.extract("a")
    assert list(part._found) == ["b"]
    assert vars(model) == {}


def test_heat_map_is_dark_where_the_attention_is():
    one = made()
    weights = np.full(one.num_words, 0.01)
    words = [word for sentence in one.sentences for word in sentence]
    weights[words.index("born")] = 0.9
    figure = attention_figure(one, AttendedPair(0, 1, "born in", weights, 0.0))
    (axes,) = figure.axes
    painted, *framed = axes.collections
    assert int(painted.get_facecolors()[:, 3].argmax()) == words.index("born")
    assert [len(one.get_paths()) for one in framed] == [1, 1]
    assert {text.get_text() for text in axes.texts} >= {"Ada", "born", "London"}
    assert pixels(figure).std() > 1


def test_a_long_document_keeps_the_sentences_that_matter():
    random = Random(0)
    sentences = tuple(tuple(f"w{random.randrange(99)}" for _ in range(20)) for _ in range(90))
    long = Document.from_words("long", sentences, [[(0, 0, 1)], [(89, 0, 1)]])
    weights = np.zeros(long.num_words)
    weights[60 * 20 + 3] = 1.0
    figure = attention_figure(long, AttendedPair(0, 1, "r", weights, 0.0))
    shown = len(figure.axes[0].texts)
    assert 20 <= shown < long.num_words
    assert figure.get_figheight() < 9
    painted = figure.axes[0].collections[0].get_facecolors()[:, 3]
    assert painted.max() > 0.5
