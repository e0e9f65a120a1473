"""The documents of the results page: no document on two sides, the same rule for all."""

import json

import pytest

from docre import read_documents
from study import prepare as module
from study.lengths import WORDS, bins, f1_by_length
from study.prepare import prepare, read
from study.teaching import with_labels
from tests.corpora import corpus


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    corpus("redocred/dev_revised.json")  # or skipped
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare()
        prepare()  # nothing is written again
    return folder / "data" / "results"


def titles(path):
    return [document["title"] for document in json.loads(path.read_text())]


def test_sides_of_redocred(made):
    folder = made / "redocred"
    train, dev, test = (titles(folder / f"{name}.json") for name in ("train", "dev", "test"))
    assert [len(train), len(dev), len(test)] == [360, 40, 100]
    assert len({*train, *dev, *test}) == 500
    assert titles(folder / "train_400.json") == [*train, *dev]
    for name in ("train_363", "pretrain_446", "unlabelled_999"):
        assert not set(test) & set(titles(folder / f"{name}.json"))
    assert not set(dev) & set(titles(folder / "pretrain_446.json"))


def test_three_kinds_of_labels_of_the_same_documents(made):
    names = ("train_363", "train_363_docred", "train_363_ext")
    kinds = [json.loads((made / "redocred" / f"{name}.json").read_text()) for name in names]
    assert [len(kind) for kind in kinds] == [363] * 3
    for documents in zip(*kinds, strict=True):
        assert len({document["title"] for document in documents}) == 1
        assert len({len(document["vertexSet"]) for document in documents}) == 1
    counts = [sum(len(document["labels"]) for document in kind) for kind in kinds]
    # what S-PU is told
    assert counts[0] / counts[1] == pytest.approx(3.18, abs=0.01)
    assert counts[0] / counts[2] == pytest.approx(6.32, abs=0.01)


@pytest.mark.parametrize(
    ("files", "form"),
    [
        (("train_filter.data", "dev_filter.data", "test_filter.data"), None),
        (tuple(f"CDR_{side}Set.PubTator.txt" for side in module._PUBTATOR), "pubtator"),
    ],
)
def test_sides_of_cdr(made, files, form):
    sides = [
        [one.id for one in read_documents(made / "cdr" / name, form, on_error="fix")]
        for name in files
    ]
    assert [len(side) for side in sides] == [400, 100, 500]
    assert len({one for side in sides for one in side}) == 1000


def test_sides_of_chemdisgene(made):
    names = ("train.json", "valid.json", "test.anno_all.json")
    sides = [json.loads((made / "chemdisgene" / name).read_text()) for name in names]
    assert [len(side) for side in sides] == [180, 20, 100]
    assert len({one["docid"] for side in sides for one in side}) == 300


def test_another_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "redocred").mkdir()
    (tmp_path / "redocred/dev_revised.json").write_text("[]")
    monkeypatch.setenv("DOCRE_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="is another file: SHA-256 4f53"):
        read("redocred/dev_revised.json")
    with pytest.raises(SystemExit, match="is not there"):
        read("cdr/train_filter.data")


def test_lengths_are_those_of_the_scored_documents(made):
    documents = json.loads((made / "redocred/test.json").read_text())
    words = [sum(map(len, document["sents"])) for document in documents]
    assert json.loads(WORDS.read_text()) == words


def test_f1_by_length(tmp_path):
    assert bins([150, 151, 200, 201, 250, 251, 9999]) == [0, 1, 1, 2, 2, 3, 3]
    places = bins(json.loads(WORDS.read_text()))
    # in the longest documents nothing is right, in the others half of what is found
    table = [[4, 4, 0 if place == 3 else 2, 0, 0, 0] for place in places]
    counts = tmp_path / "seed_1/scores/documents/test.json"
    counts.parent.mkdir(parents=True)
    counts.write_text(json.dumps({"levels": {"triples": {"table": table}}}))
    assert f1_by_length(tmp_path) == [0.5, 0.5, 0.5, 0.0]
    counts.write_text(json.dumps({"levels": {"triples": {"table": table[:60]}}}))
    with pytest.raises(ValueError, match="60 documents were scored, not 100"):
        f1_by_length(tmp_path)


def test_a_teacher_labels():
    documents = [{"title": "a", "sents": [["x"]]}, {"title": "b", "labels": [1]}]
    found = [{"title": "a", "h_idx": 0, "t_idx": 2, "r": "P17", "evidence": [0]}]
    labelled = with_labels(documents, found)
    assert labelled[0]["labels"] == [{"h": 0, "t": 2, "r": "P17", "evidence": []}]
    assert labelled[0]["sents"] == [["x"]]
    assert labelled[1]["labels"] == []
