"""Counts of the real corpora, known from independent readings of the files."""

from collections import Counter

import pytest

from docre.data.reading import read_documents
from docre.data.relations import DOCRED_TYPES, RelationSet
from docre.data.summary import summarise
from tests.corpora import corpus


@pytest.fixture(scope="module")
def redocred():
    path = corpus("redocred/dev_revised.json")
    return read_documents(path, relations=RelationSet.docred(), types=DOCRED_TYPES)


def test_redocred_dev(redocred):
    found = summarise(redocred)
    assert found.documents == 500
    assert len({document.id for document in redocred}) == 500
    assert found.triples == 17_284
    assert sum(found.pairs) == 193_232
    assert found.positive_pairs == 13_362
    assert found.mentions == 13_189
    assert max(found.entities) == 36
    assert max(len(document.sentences) for document in redocred) == 21
    assert found.without_evidence == 9_811
    assert len(found.relations) == 95
    assert (found.intra, found.inter) == (7_982, 9_302)
    assert round(sum(found.words) / 500, 1) == 203.9


def test_redocred_dev_relations_of_a_pair(redocred):
    sizes = Counter(
        count
        for document in redocred
        for count in Counter((r.head, r.tail) for r in document.relations).values()
    )
    assert sizes == {1: 9711, 2: 3384, 3: 263, 4: 4}


def test_redocred_dev_is_clean(redocred):
    """All documents pass with the 96 relations and six types and nothing to report."""
    assert all(document.entities for document in redocred)


@pytest.mark.parametrize(
    ("name", "documents", "triples"),
    [
        ("redocred/dev_docred_labels.json", 450, 4_924),
        ("redocred/dev_ext_labels.json", 450, 2_435),
        ("docred/train_annotated_446.json", 446, 5_236),
    ],
)
def test_other_docred_files(name, documents, triples):
    found = summarise(read_documents(corpus(name), relations=RelationSet.docred()))
    assert (found.documents, found.triples) == (documents, triples)


def test_hidden_labels():
    documents = read_documents(corpus("docred/unlabelled_999.json"))
    assert len(documents) == 999
    assert all(document.relations is None for document in documents)
