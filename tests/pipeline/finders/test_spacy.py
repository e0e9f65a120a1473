"""Entities by real spaCy pipelines, made here: no pipeline package is needed."""

import sys
from dataclasses import replace

import pytest

from docre.documents import Document, check
from docre.errors import DataError, DocreError
from docre.pipeline.finders import DOCRED_TYPES, EntityFinder, SpacyFinder

spacy = pytest.importorskip("spacy")
from spacy.language import Language  # noqa: E402
from spacy.tokens import Doc  # noqa: E402

PATTERNS = [
    ("PERSON", "Mia Tarn"),
    ("PERSON", "Tarn"),
    ("GPE", "Arle"),
    ("ORG", "World Health Organization"),
    ("ORG", "WHO"),
    ("DATE", "1999"),
]


@Language.component("tests_coref_spans")
def coref_spans(doc):
    """Write clusters where spaCy's SpanResolver does: Doc.spans["coref_clusters_1"]."""
    spans = [doc[token.i : token.i + 1] for token in doc if token.text in ("Arle", "Town", "It")]
    doc.spans["coref_clusters_1"] = spans
    doc.spans["coref_head_clusters_1"] = [doc[:1], doc[-1:]]  # heads alone are no mentions
    return doc


@Language.component("tests_coref_extension")
def coref_extension(doc):
    """Write clusters as the component of fastcoref 2.1.6 does: character spans."""
    if not Doc.has_extension("coref_clusters"):
        Doc.set_extension("coref_clusters", default=None)
    names = ("Arle", "Town", "It")
    doc._.coref_clusters = [[(t.idx, t.idx + len(t)) for t in doc if t.text in names]]
    return doc


def pipeline(patterns=PATTERNS, then=None):
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": name} for label, name in patterns])
    if then:
        nlp.add_pipe(then)
    return nlp


def found(document):
    return [
        (entity.type, [document.surface(m) for m in entity.mentions])
        for entity in document.entities
    ]


TEXT = "Mia Tarn left Arle in 1999.\nTarn joined the World Health Organization (WHO)."


def test_a_raw_text():
    finder = SpacyFinder(pipeline(), DOCRED_TYPES)
    assert isinstance(finder, EntityFinder)
    given = Document.from_text("t", TEXT, extra={"k": 1})
    [document] = finder.find([given])
    assert found(document) == [
        ("PER", ["Mia Tarn", "Tarn"]),
        ("LOC", ["Arle"]),
        ("TIME", ["1999"]),
        ("ORG", ["World Health Organization", "WHO"]),
    ]
    assert [document.char_span(m) for m in document.entities[0].mentions] == [(0, 8), (28, 32)]
    assert replace(document, entities=()) == given
    assert check(document) == []


def test_given_words():
    sentences = [["Mia", "Tarn", "left", "Arle"], [], ["Tarn-like", "Arle", ",", "\u00a0", "Bo"]]
    given = Document.from_words("w", sentences)
    [document] = SpacyFinder(pipeline(), {"PERSON": "PER", "GPE": "LOC"}).find([given])
    assert found(document) == [
        ("PER", ["Mia Tarn"]),
        ("LOC", ["Arle", "Arle"]),
        ("PER", ["Tarn-like"]),
    ]
    assert document.sentences == given.sentences
    assert check(document) == []


def test_types():
    given = Document.from_text("t", TEXT)
    [as_labels] = SpacyFinder(pipeline()).find([given])
    assert {kind for kind, _ in found(as_labels)} == {"PERSON", "GPE", "DATE", "ORG"}
    [chosen] = SpacyFinder(pipeline(), {"GPE": "place"}).find([given])
    assert found(chosen) == [("place", ["Arle"])]


def test_many_documents_keep_their_order():
    texts = ["Arle.", "", "  \n", "Nobody.", "東京 😀 Arle e\u0301 Tarn!"]
    given = [Document.from_text(f"d{n}", texts[n % 5]) for n in range(11)]
    documents = SpacyFinder(pipeline(), batch_size=2).find(given)
    assert [one.id for one in documents] == [one.id for one in given]
    assert [len(one.entities) for one in documents] == [1, 0, 0, 0, 2, 1, 0, 0, 0, 2, 1]
    assert found(documents[4]) == [("GPE", ["Arle"]), ("PERSON", ["Tarn"])]
    assert SpacyFinder(pipeline()).find([]) == []


@pytest.mark.parametrize("component", ["tests_coref_spans", "tests_coref_extension"])
def test_coreference_of_the_pipeline(component):
    text = "Arle grew. The Town's mayor loves Town and Bern. It is nice."
    patterns = [("GPE", "Arle"), ("GPE", "Town"), ("GPE", "Bern")]
    [document] = SpacyFinder(pipeline(patterns, component)).find([Document.from_text("t", text)])
    # what only the coreference component marked, such as pronouns, is not taken
    assert found(document) == [("GPE", ["Arle", "Town", "Town"]), ("GPE", ["Bern"])]


def test_a_long_text():
    text = "Mia Tarn left Arle in the rain and the WHO wrote about her . " * 770
    given = Document.from_text("long", text)
    assert given.num_words > 10_000
    [document] = SpacyFinder(pipeline()).find([given])
    assert [len(entity.mentions) for entity in document.entities] == [770, 770, 770]


def test_too_long_a_text_is_named():
    nlp = pipeline()
    nlp.max_length = 10
    documents = [Document.from_text("short", "Arle."), Document.from_text("long", "Arle. " * 3)]
    with pytest.raises(DataError, match=r"document 'long', text: 18 characters are more than 10"):
        SpacyFinder(nlp).find(documents)


def test_a_pipeline_of_a_folder(tmp_path):
    pipeline().to_disk(tmp_path / "nlp")
    [document] = SpacyFinder(str(tmp_path / "nlp")).find([Document.from_text("t", "Arle.")])
    assert found(document) == [("GPE", ["Arle"])]


def test_what_is_missing_is_said(monkeypatch, tmp_path):
    with pytest.raises(DocreError, match="python -m spacy download no_such_pipeline"):
        SpacyFinder("no_such_pipeline")
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(DocreError, match="cannot load") as caught:
        SpacyFinder(str(tmp_path))
    assert "download" not in str(caught.value)
    with pytest.raises(DocreError, match="no component"):
        SpacyFinder(spacy.blank("en"))
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(DocreError, match=r"pip install 'docre\[spacy\]'"):
        SpacyFinder("en_core_web_sm")


def test_types_of_docred_are_types_of_its_files():
    assert {*DOCRED_TYPES.values()} == {"PER", "ORG", "LOC", "TIME", "NUM", "MISC"}
