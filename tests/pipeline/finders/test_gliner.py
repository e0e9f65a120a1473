"""Entities by GLiNER, with a stand-in that has the parts of the real model that are used."""

import inspect
import re
import sys
import warnings
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docre.documents import Document, check
from docre.errors import DataError, DocreError
from docre.pipeline.finders import EntityFinder, GlinerFinder
from docre.pipeline.finders.gliner import window_spans


class StandIn:
    """Finds words that begin with a capital, as far as it reads.

    Signatures, splitting of words, the limits in words and in tokens and what is returned are those
    of ``UniEncoderSpanGLiNER`` in gliner 0.2.29; a token is up to four characters of a word.
    """

    def __init__(self, max_len=384, max_tokens=512, relations=False):
        self.config = SimpleNamespace(max_len=max_len, ent_token="<<ENT>>", sep_token="<<SEP>>")
        self.data_processor = SimpleNamespace(
            words_splitter=self.split, transformer_tokenizer=self.tokenize
        )
        self.tokenize.__func__.model_max_length = max_tokens
        self.relations = relations
        self.read = []

    @classmethod
    def from_pretrained(cls, model_id, map_location="cpu", **settings):
        made = cls()
        made.loaded = (model_id, map_location)
        return made

    def split(self, text):
        for match in re.finditer(r"\w+(?:[-_]\w+)*|\S", text):
            yield match.group(), match.start(), match.end()

    def tokenize(self, words, is_split_into_words=False, verbose=True):
        assert is_split_into_words
        return {"input_ids": [0, *(0 for word in words for _ in range(0, len(word), 4)), 0]}

    def inference(
        self,
        texts,
        labels,
        flat_ner=True,
        threshold=0.5,
        multi_label=False,
        batch_size=8,
        packing_config=None,
        input_spans=None,
        return_class_probs=False,
        *,
        return_vectors=False,
        return_label_vectors=False,
        **external_inputs,
    ):
        found = []
        for text in texts:
            words = list(self.split(text))
            if len(words) > self.config.max_len:
                message = f"Sentence of length {len(words)} has been truncated to"
                warnings.warn(f"{message} {self.config.max_len}", stacklevel=2)
            self.read.append(text)
            found.append([])
            for word, start, end in words[: self.config.max_len]:
                score = 1 - len(word) / 100
                if word[0].isupper() and score >= threshold:
                    label = labels[len(word) % len(labels)]
                    one = {"start": start, "end": end, "text": word, "label": label, "score": score}
                    found[-1].append(one)
        return (found, [[] for _ in texts]) if self.relations else found


def test_the_stand_in_is_like_the_real_one():
    gliner = pytest.importorskip("gliner")
    from gliner.model import UniEncoderSpanGLiNER

    def parameters(function):
        listed = inspect.signature(function).parameters.values()
        return [(one.name, one.kind, one.default) for one in listed]

    assert parameters(StandIn.inference) == parameters(UniEncoderSpanGLiNER.inference)
    assert "map_location" in inspect.signature(gliner.GLiNER.from_pretrained).parameters


def found(document):
    return [
        (entity.type, [document.surface(m) for m in entity.mentions])
        for entity in document.entities
    ]


@pytest.mark.parametrize("relations", [False, True])
def test_text_and_words(relations):
    given = [
        Document.from_text("t", "Mia lives in Arle. Mia's e\u0301 東京 Arle 😀 Bo."),
        Document.from_words("w", [["Mia", "saw"], [], ["Arle", "-", "Bo-Bo"]]),
        Document.from_text("empty", ""),
        Document.from_words("bare", [["nobody"]]),
    ]
    finder = GlinerFinder(StandIn(relations=relations), {"town": "LOC", "person": "PER"})
    assert isinstance(finder, EntityFinder)
    documents = finder.find(given)
    assert found(documents[0]) == [
        ("PER", ["Mia", "Mia"]),
        ("LOC", ["Arle", "Arle"]),
        ("LOC", ["Bo"]),
    ]
    assert found(documents[1]) == [("PER", ["Mia"]), ("LOC", ["Arle"]), ("PER", ["Bo-Bo"])]
    for document, before in zip(documents, given, strict=True):
        assert replace(document, entities=()) == before
        assert check(document) == []
    assert finder.find([]) == []


def test_labels_are_types_if_only_they_are_given():
    [document] = GlinerFinder(StandIn(), ["town", "person"]).find([Document.from_text("t", "Bo.")])
    assert found(document) == [("town", ["Bo"])]


def test_threshold_is_passed_on():
    [document] = GlinerFinder(StandIn(), ["x"], threshold=0.97).find(
        [Document.from_text("t", "Bo saw Mia in Arle.")]
    )
    assert found(document) == [("x", ["Bo"]), ("x", ["Mia"])]


@pytest.mark.parametrize(
    ("max_len", "max_tokens", "window"),
    [(384, 512, 128), (10, 512, 128), (384, 40, 128), (384, 10**30, 16), (384, 512, 8)],
)
def test_everything_is_read(max_len, max_tokens, window):
    """The names of a long text are found wherever they are, and no window is too long."""
    words = [f"Name{n}" if n % 7 == 0 else f"w{n}" for n in range(2_000)]
    sizes, sentences = [1, 30, 3, 400, 0, 12, 8], []
    while words:
        size = sizes[len(sentences) % len(sizes)]
        sentences.append(words[:size])
        words = words[size:]
    given = Document.from_words("long", sentences)
    model = StandIn(max_len, max_tokens)
    [document] = GlinerFinder(model, ["x"], window=window).find([given])
    names = [word for words in sentences for word in words if word[0] == "N"]
    assert found(document) == [("x", [name]) for name in names]
    assert max(len(text.split()) for text in model.read) <= min(max_len, window)
    assert max(len(model.tokenize(t.split(), True)["input_ids"]) for t in model.read) <= max_tokens


def test_a_long_text():
    text = "Mia left Arle in the rain, and nobody wrote about her . " * 770
    given = Document.from_text("long", text)
    assert given.num_words > 10_000
    [document] = GlinerFinder(StandIn(), ["a", "b"]).find([given])
    assert [(kind, len(names)) for kind, names in found(document)] == [("b", 770), ("a", 770)]


def test_a_mention_cut_by_a_window_is_whole_in_the_next():
    model = StandIn()
    model.inference = lambda texts, labels, **named: [
        [
            {"start": m.start(), "end": m.end(), "text": m.group(), "label": "x", "score": 0.9}
            for m in re.finditer(r"A( A)*", text)
        ]
        for text in texts
    ]
    for before in range(40):
        given = Document.from_words("d", [["b"] * before + ["A"] * 4 + ["b"] * 20])
        [document] = GlinerFinder(model, ["x"], window=16).find([given])
        assert found(document) == [("x", ["A A A A"])]


def test_words_that_cannot_be_read_are_an_error_that_names_the_document():
    good, bad = Document.from_text("good", "Arle."), Document.from_text("bad", "x" * 5_000)
    with pytest.raises(DataError, match="document 'bad', sentences: its words have more tokens"):
        GlinerFinder(StandIn(), ["x"]).find([good, bad])


def test_a_cut_text_is_never_taken_for_a_whole_one():
    model = StandIn(max_len=8)
    model.split = lambda text: ((one, k, k + 1) for k, one in enumerate(text))  # not what it says
    with pytest.raises(UserWarning, match="has been truncated"):
        GlinerFinder(model, ["x"]).find([Document.from_words("d", [["abcdefghi"]])])


def test_a_model_by_name(monkeypatch):
    package = ModuleType("gliner")
    package.GLiNER = StandIn
    monkeypatch.setitem(sys.modules, "gliner", package)
    [document] = GlinerFinder("org/model", ["x"], device="cuda:0").find(
        [Document.from_text("t", "Bo.")]
    )
    assert found(document) == [("x", ["Bo"])]
    monkeypatch.setitem(sys.modules, "gliner", None)
    with pytest.raises(DocreError, match=r"pip install 'docre\[gliner\]'"):
        GlinerFinder("org/model", ["x"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": []}, "labels is empty"),
        ({"labels": {}}, "labels is empty"),
        ({"labels": "person"}, "must be a list"),
        ({"labels": ["x"], "window": 7}, "window is 7"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(DocreError, match=message):
        GlinerFinder(StandIn(), **arguments)


@given(st.lists(st.lists(st.sampled_from(["a", "a-b", ")", "é"]), max_size=30)), st.integers(8, 20))
def test_windows_cover_all_words(sentences, size):
    text = " ".join(word for words in sentences for word in words)
    offsets, position = [], 0
    for words in sentences:
        offsets.append([])
        for word in words:
            offsets[-1].append((position, position + len(word)))
            position += len(word) + 1
    windows = list(window_spans(text, tuple(map(tuple, offsets)), size))
    covered = {k for a, b in windows for k in range(a, b)}
    assert covered >= {k for k, character in enumerate(text) if not character.isspace()}
    for start, end in windows:
        assert 0 < len(re.findall(r"\w+|[^\w\s]", text[start:end])) <= size
        if end - start < len(text):  # a whole sentence is in one window wherever there is room
            inside = [s for s in offsets if s and start <= s[0][0] and s[-1][1] <= end]
            cut = [s for s in offsets if s and s[0][0] < end and s[-1][1] > start]
            for sentence in cut:
                begin, close = sentence[0][0], sentence[-1][1]
                pieces = re.findall(r"\w+|[^\w\s]", text[begin:close])
                assert sentence in inside or len(pieces) > size
