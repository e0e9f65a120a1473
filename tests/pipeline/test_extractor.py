"""Texts in, triples out: what a trained model says, whoever asks and in whatever company."""

import math
import re
from contextlib import chdir
from dataclasses import replace

import numpy as np
import pytest
import torch

import docre
from docre import Document, read_documents
from docre.calibration import TemperatureCalibration
from docre.documents import Entity, Mention
from docre.errors import DataError, DocreError
from docre.hub import read_model
from docre.pipeline.extractor import Extractor
from docre.report.reading import read_predicted
from docre.training import run
from tests.distillation.runs import fit, made_file


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("extractor"), "--model.decoder.init_args.top_k=2")


@pytest.fixture(scope="module")
def documents(trained):
    return read_documents(made_file(trained.parents[2], "test"))


@pytest.fixture(scope="module")
def extractor(trained):
    return docre.load(trained, device="cpu")


@pytest.fixture(scope="module")
def lightnings(trained):
    """The triples that LightningCLI predicts for the same documents."""
    with chdir(trained.parents[2]):
        run(["predict", "--run", str(trained), "--output", "theirs.jsonl"])
        return read_predicted(trained.parents[2] / "theirs.jsonl").relations


def told(extraction):
    return {
        (t.head.index, t.tail.index, t.relation): (t.score, t.margin, t.evidence)
        for t in extraction.triples
    }


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, (score, margin, evidence) in found.items():
        assert (score, margin) == pytest.approx(wanted[key][:2], abs=2e-4)
        assert evidence == wanted[key][2]


def test_triples_are_those_of_lightnings_predict(extractor, documents, lightnings):
    found = extractor.predict(documents)
    assert [one.id for one in found] == [one.id for one in documents]
    assert sum(map(len, found)) > 50
    for one in found:
        wanted = {
            (r.head, r.tail, r.relation): (r.score, r.extra["margin"], r.evidence)
            for r in lightnings[one.id]
        }
        same(told(one), wanted)


def test_a_document_is_read_alike_alone_and_in_company(extractor, documents):
    together = extractor.predict(documents)
    small = Extractor(extractor.contents, token_budget=1, pair_budget=1)
    for one, other in zip(small.predict(documents), together, strict=True):
        same(told(one), told(other))
    backwards = extractor.predict(documents[::-1])
    for one, other in zip(backwards[::-1], together, strict=True):
        same(told(one), told(other))


def test_labels_of_a_document_are_not_looked_at(extractor, documents):
    bare = [replace(one, relations=None) for one in documents]
    other = [replace(one, relations=()) for one in documents]
    for one, two, three in zip(*map(extractor.predict, (documents, bare, other)), strict=True):
        assert told(one) == told(two) == told(three)


def test_characters_are_those_of_the_text(extractor):
    text = "Ada  Lovelace was born in London.\nShe — Ada — wrote notes."
    spans = {"ada": [(0, 13), (40, 43)], "london": [(26, 32)]}
    found = extractor.predict(text, spans, types=["PER", "LOC"])
    assert found.text == text
    ada, london = found.entities
    assert [m.text for m in ada.mentions] == ["Ada  Lovelace", "Ada"]
    assert [(m.start, m.end, m.sentence) for m in ada.mentions] == [(0, 13, 0), (40, 43, 1)]
    assert (ada.name, ada.type, ada.id, london.name) == ("Ada  Lovelace", "PER", "ada", "London")
    assert found.sentences == ("Ada  Lovelace was born in London.", "She — Ada — wrote notes.")


def test_characters_of_given_words_count_in_the_words_joined_by_blanks(extractor, documents):
    for extraction in extractor.predict(documents):
        words = [word for sentence in extraction.document.sentences for word in sentence]
        assert extraction.text == " ".join(words)
        for entity in extraction.entities:
            for mention in entity.mentions:
                assert extraction.text[mention.start : mention.end] == mention.text
                assert mention.text in extraction.sentences[mention.sentence]


def test_a_document_that_fails_does_not_stop_the_others(extractor, documents, monkeypatch):
    """A batch that fails is halved until the one that is to blame is alone."""
    model = extractor.contents.model
    step, calls = model.predict_step, []
    longest = max(range(len(documents)), key=lambda n: documents[n].num_words)

    def fragile(batch, number):
        calls.append(len(batch))
        if (
            batch.sizes.tokens
            and max(batch.sizes.tokens) > 0
            and str(longest) in batch.document_ids
        ):
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 20 GiB\nmore")
        return step(batch, number)

    wanted = extractor.predict(documents)
    monkeypatch.setattr(model, "predict_step", fragile)
    outcomes = list(extractor.stream(documents))
    assert [one.name for one in outcomes] == [one.id for one in documents]
    failed = [n for n, one in enumerate(outcomes) if one.extraction is None]
    assert failed == [longest]
    (problem,) = outcomes[longest].problems
    assert str(problem) == (
        f"document {documents[longest].id!r}: OutOfMemoryError: out of memory. Tried to allocate "
        "20 GiB"
    )
    for number, one in enumerate(outcomes):
        if number != longest:
            same(told(one.extraction), told(wanted[number]))
    assert 1 in calls
    with pytest.raises(DataError, match="Tried to allocate"):
        extractor.predict(documents)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ValueError("document '{0}' has 43 entities, at most 42"),
            "ValueError: the document has 43",
        ),
        (DocreError("model.head: document '{0}' is too large"), "model.head: the document is too"),
    ],
)
def test_what_a_head_refuses_is_said_of_that_document(
    extractor, documents, monkeypatch, error, said
):
    step = extractor.contents.model.predict_step

    def refusing(batch, number):
        if "1" in batch.document_ids:
            raise type(error)(str(error).format("1"))
        return step(batch, number)

    monkeypatch.setattr(extractor.contents.model, "predict_step", refusing)
    outcomes = list(extractor.stream(documents))
    assert [one.extraction is None for one in outcomes] == [n == 1 for n in range(len(documents))]
    assert str(outcomes[1].problems[0]).startswith(f"document {documents[1].id!r}: {said}")


def test_a_broken_gpu_ends_it_all(extractor, documents, monkeypatch):
    def broken(batch, number):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(extractor.contents.model, "predict_step", broken)
    with pytest.raises(RuntimeError, match="device-side assert"):
        list(extractor.stream(documents))


def test_two_documents_of_one_name_are_two(extractor, documents):
    first, second = documents[:2]
    found = extractor.predict([first, replace(second, id=first.id)])
    assert told(found[0]) != told(found[1])
    assert [one.id for one in found] == [first.id, first.id]


def test_documents_with_nothing_to_relate_have_no_triples(extractor, documents):
    lonely = replace(documents[0], entities=documents[0].entities[:1], relations=None)
    none = replace(documents[0], entities=(), relations=None)
    empty = Document("empty", ())
    outcomes = list(extractor.stream([lonely, none, empty]))
    assert [one.extraction.triples for one in outcomes] == [(), (), ()]
    assert [[p.code for p in one.problems] for one in outcomes] == [
        [],
        ["no-entities"],
        ["no-entities"],
    ]


def test_a_text_without_entities_needs_somebody_to_find_them(extractor, trained):
    with pytest.raises(DocreError, match=r"relates given entities, and it has none: give entities"):
        extractor.predict("Ada was born in London.")
    with pytest.raises(DocreError, match="2 of 2 documents have none"):
        extractor.predict(["Ada.", "London."])

    class Capitals:
        def find(self, documents):
            return [
                Document.from_text(
                    one.id,
                    one.text,
                    [[(m.start(), m.end())] for m in re.finditer("[A-Z]\\w+", one.text)],
                )
                for one in documents
            ]

    with_finder = docre.load(trained, finder=Capitals())
    found = with_finder.predict(["Ada was born in London.", "nothing here"])
    assert [entity.name for entity in found[0].entities] == ["Ada", "London"]
    assert found[1].entities == ()
    # documents that have entities keep them
    own = Document.from_text("own", "Ada met Bo in Rome.", [[(8, 10)], [(0, 3)]])
    assert [e.name for e in with_finder.predict(own).entities] == ["Bo", "Ada"]


def test_a_finder_that_fails_on_a_document_does_not_stop_the_others(extractor):
    class Fragile:
        def find(self, documents):
            if any("bad" in one.text for one in documents):
                raise RuntimeError("cannot read this\nat all")
            return documents

    asked = [Document.from_text(name, name) for name in ("good", "bad", "better")]
    outcomes = list(Extractor(extractor.contents, Fragile()).stream(asked))
    assert [one.extraction is None for one in outcomes] == [False, True, False]
    assert str(outcomes[1].problems[0]) == "document 'bad': RuntimeError: cannot read this"


@pytest.mark.parametrize(
    ("find", "said"),
    [
        (lambda documents: {}["a"], "KeyError: 'a'"),
        (lambda documents: None, "TypeError: 'NoneType' object is not iterable"),
        (lambda documents: documents[1:], "it did not return the documents it was given"),
        (lambda documents: [replace(one, id="x") for one in documents], "it did not return the"),
        (
            lambda documents: [
                replace(one, entities=(Entity((Mention(0, 0, 99),)),)) for one in documents
            ],
            "span 0-99 is not inside the 2 words of sentence 0",
        ),
    ],
)
def test_whatever_a_finder_does_is_said_of_its_documents(extractor, documents, find, said):
    class Odd:
        def find(self, asked):
            return find(asked)

    asked = [Document.from_text("bare", "Nothing."), documents[0]]
    bare, other = Extractor(extractor.contents, Odd()).stream(asked)
    assert said in str(bare.problems[0])
    assert bare.problems[0].document in ("bare", "x")
    assert len(other.extraction.triples) > 0


def test_what_is_no_finder_is_refused(extractor):
    for finder in ("os:getcwd", object()):
        with pytest.raises(DocreError, match=r"has no method find\(documents\)"):
            Extractor(extractor.contents, finder)


@pytest.mark.parametrize("given", [None, b"text", {"id": 1}, 7, [1, 2], [None]])
def test_what_is_no_document_is_refused(extractor, given):
    with pytest.raises(
        DocreError, match=r"predict takes a text, a Document or a list of these, not"
    ):
        extractor.predict(given)


@pytest.mark.parametrize(
    ("words", "mention"),
    [
        (("a", "b"), Mention(0, 0, 9)),
        (("a", "b"), Mention(0, -1, 1)),
        (("a", "b"), Mention(3, 0, 1)),
        (("a", "b"), Mention(0, 0, 10**30)),
        (("a", None), Mention(0, 0, 1)),
        (("a", "\ud800"), Mention(0, 0, 1)),
    ],
)
def test_a_document_made_by_hand_is_looked_at(extractor, documents, words, mention):
    bad = Document("bad", (words,), (Entity((mention,)), Entity((Mention(0, 0, 1),))))
    with pytest.raises(DataError, match=r"document 'bad', (entities|sentences)\[0\]"):
        extractor.predict(bad)
    found = [*extractor.stream([documents[0], bad, "half \ud800", documents[1]])]
    assert [one.extraction is None for one in found] == [False, True, True, False]
    assert [one.name for one in found] == [documents[0].id, "bad", "text 2", documents[1].id]


def test_texts_are_streamed_too(extractor):
    (outcome,) = extractor.stream(["Ada."])
    assert outcome.extraction.text == "Ada."
    assert repr(outcome.extraction) == "Extraction('text 0', 0 entities, 0 triples)"


def test_half_a_character_is_refused(extractor):
    with pytest.raises(DataError, match="expected text that can be written as UTF-8"):
        extractor.predict("A \ud800 b", [[(0, 1)], [(4, 5)]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "fp16"}, "precision: 'fp16' is none of 32, bf16"),
        ({"token_budget": -5}, "token_budget: must be at least 1, it is -5"),
        ({"pair_budget": 0}, "pair_budget: must be at least 1, it is 0"),
        ({"device": "meta"}, "device: meta cannot be used here"),
    ],
)
def test_settings_are_checked(extractor, arguments, message):
    with pytest.raises(DocreError, match=message):
        Extractor(extractor.contents, **arguments)


def test_probabilities_are_calibrated_margins(extractor, documents):
    calibrated = replace(extractor.contents, calibration=TemperatureCalibration(2.0))
    found = Extractor(calibrated).predict(documents)
    chances = []
    for triple in (triple for one in found for triple in one.triples):
        assert triple.probability == pytest.approx(1 / (1 + math.exp(-triple.margin / 2)), abs=1e-3)
        chances.append(triple.probability)
    middle = float(np.median(chances))
    fewer = Extractor(calibrated, min_probability=middle).predict(documents)
    assert sum(map(len, fewer)) == sum(chance >= middle for chance in chances) < len(chances)
    for value in (-0.1, 1.5):
        with pytest.raises(DocreError, match="is not between 0 and 1"):
            Extractor(calibrated, min_probability=value)
    with pytest.raises(DocreError, match="docre calibrate --run RUN"):
        Extractor(extractor.contents, min_probability=0.5)
    assert {t.probability for one in extractor.predict(documents) for t in one.triples} == {None}


def test_documents_that_cannot_be_features_are_named(trained, documents):
    contents = read_model(trained)
    strict = replace(
        contents, features=replace(contents.features, max_tokens=40, truncation="error")
    )
    outcomes = list(Extractor(strict).stream(documents))
    short = Document.from_text("short", "Ada met Bo.", [[(0, 3)], [(8, 10)]])
    assert all("max_tokens is 40" in str(one.problems[0]) for one in outcomes)
    assert [one.problems[0].document for one in outcomes] == [one.id for one in documents]
    mixed = list(Extractor(strict).stream([documents[0], short, documents[1]]))
    assert [one.extraction is None for one in mixed] == [True, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "gpu"}, "device: 'gpu' is none; for example cpu"),
        ({"finder": "nonsense:"}, "finder: nonsense: is none of joint:RUN"),
        ({"finder": "docre.errors:DocreError"}, "has no method find"),
        ({"finder": "no.such.module:make"}, "is none of joint:RUN"),
    ],
)
def test_settings_that_make_no_sense_are_refused(trained, arguments, message):
    with pytest.raises(DocreError, match=message):
        docre.load(trained, **arguments)


def test_a_pair_model_is_no_finder(trained):
    with pytest.raises(DocreError, match="finds no entities"):
        docre.load(trained, finder=f"joint:{trained}")


def test_half_precision_finds_nearly_the_same(trained, documents, extractor):
    half = docre.load(trained, precision="bf16")
    for one, other in zip(half.predict(documents), extractor.predict(documents), strict=True):
        ours, theirs = told(one), told(other)
        assert len(ours.keys() & theirs.keys()) > 0.7 * len(theirs)
        for key in ours.keys() & theirs.keys():
            assert ours[key][0] == pytest.approx(theirs[key][0], abs=0.05)
