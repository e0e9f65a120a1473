"""Files of what was found, each read back by somebody else."""

import csv
import gzip
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import networkx
import pytest

from docre import Document, read_documents
from docre.data.formats.official import read_predictions
from docre.documents import Relation
from docre.errors import DataError, DocreError
from docre.pipeline.extraction import Extraction
from docre.pipeline.output import FORMS, to_networkx, write_extractions
from docre.report.reading import read_predicted

NAMES = {"P19": "place of birth", "P27": ""}
NASTY = 'Bo "<b>&\x07 x'


@pytest.fixture
def found():
    text = f"Ada Lovelace, or Ada, was born in London. {NASTY} says so."
    first = Document.from_text(
        "one & <two>",
        text,
        {"ada": [(0, 12), (17, 20)], "london": [(34, 40)], "bo": [(42, 42 + len(NASTY))]},
        types=["PER", "LOC", "PER"],
    )
    relations = (
        Relation(0, 1, "P19", (0,), 7.25, {"margin": 1.5, "probability": 0.75}),
        Relation(0, 1, "P27", (), 6.0, {"margin": 0.25}),
        Relation(2, 0, "P19", (0, 1), -1.0, None),
    )
    words = Document.from_words(
        "given words", [["Ada", "met", "Bo"], []], [[(0, 0, 1)], [(0, 2, 3)]]
    )
    return [
        Extraction(replace(first, relations=relations), NAMES),
        Extraction(replace(words, relations=()), NAMES),
    ]


def test_lines_have_names_places_and_scores(found, tmp_path):
    path = tmp_path / "out.jsonl"
    write_extractions(path, found)
    one, two = map(json.loads, path.read_text().splitlines())
    assert one["triples"][0] == {
        "head": 0,
        "tail": 1,
        "relation": "P19",
        "head_name": "Ada Lovelace",
        "relation_name": "place of birth",
        "tail_name": "London",
        "score": 7.25,
        "margin": 1.5,
        "probability": 0.75,
        "evidence": [0],
    }
    assert one["triples"][1]["relation_name"] == "P27"
    assert one["triples"][2]["margin"] is one["triples"][2]["probability"] is None
    mention = one["entities"][0]["mentions"][1]
    assert mention == {"text": "Ada", "start": 17, "end": 20, "sentence": 0}
    assert one["text"][17:20] == "Ada"
    assert two["text"] == "Ada met Bo"
    # and the other commands read them
    read = read_predicted(path)
    assert [r.extra for r in read.relations["one & <two>"]] == [
        {"margin": 1.5},
        {"margin": 0.25},
        None,
    ]
    assert read.descriptions == {"P19": "place of birth"}


def test_found_entities_are_whole_documents(found, tmp_path):
    path = tmp_path / "out.jsonl.gz"
    write_extractions(path, found, found_entities=True)
    assert read_documents(path) == [one.document for one in found]
    published = tmp_path / "out.json"
    write_extractions(published, found, found_entities=True)
    entries = json.loads(published.read_text())
    assert [len(one["entities"]) for one in entries] == [3, 2]
    assert entries[0]["relations"][0] == {"head": 0, "tail": 1, "type": "P19"}


@pytest.mark.parametrize("ending", [".json", ".zip", ".json.gz"])
def test_the_official_form_has_margins_as_scores(found, tmp_path, ending):
    path = tmp_path / f"result{ending}"
    write_extractions(path, found)
    triples = [(p.head, p.tail, p.relation, p.evidence, p.score) for p in read_predictions(path)]
    assert triples == [
        (0, 1, "P19", (0,), 1.5),
        (0, 1, "P27", (), 0.25),
        (2, 0, "P19", (0, 1), -1.0),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_has_a_row_a_triple(found, tmp_path, packed):
    path = tmp_path / ("out.csv.gz" if packed else "out.csv")
    write_extractions(path, found)
    data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert len(rows) == 3
    assert rows[0]["head_mentions"] == "0-12 17-20"
    assert (rows[0]["probability"], rows[1]["probability"], rows[2]["margin"]) == ("0.75", "", "")
    assert rows[2]["head_name"] == NASTY
    assert rows[2]["evidence"] == "0 1"


def test_the_graph_in_the_file_is_the_graph_in_python(found, tmp_path):
    path = tmp_path / "out.graphml"
    write_extractions(path, found)
    ET.parse(path)  # XML, whatever is in the texts
    read, made = networkx.read_graphml(path, force_multigraph=True), to_networkx(found)
    names = {
        node: (data["document"], int(node.rpartition("/")[2]))
        for node, data in read.nodes(data=True)
    }
    assert {*names.values()} == {*made.nodes}

    def safe(values):
        return {
            k: v.replace("\x07", "\ufffd") if isinstance(v, str) else v for k, v in values.items()
        }

    for node, data in read.nodes(data=True):
        assert data == safe(made.nodes[names[node]])
    ours = sorted((names[a], names[b], sorted(d.items())) for a, b, d in read.edges(data=True))
    theirs = sorted((a, b, sorted(safe(d).items())) for a, b, d in made.edges(data=True))
    assert [(a, b, [x for x in d if x[0] != "id"]) for a, b, d in ours] == theirs


def test_the_page_has_the_names_and_no_markup_of_the_texts(found, tmp_path):
    path = tmp_path / "out.html"
    write_extractions(path, found)
    page = path.read_text()
    assert "place of birth" in page
    assert "Lovelace" in page
    assert "<b>&" not in page


def test_cells_are_no_formulas(tmp_path):
    words = ["=1+1", "met", "@home", "-", "+2"]
    entities = [[(0, 0, 1)], [(0, 2, 3)], [(0, 4, 5)]]
    document = Document.from_words(
        "=cmd|' /C calc'!A0", [words], entities, [(0, 1, "=x"), (2, 0, "y")]
    )
    write_extractions(tmp_path / "out.csv", [Extraction(document)])
    rows = list(csv.reader(io.StringIO((tmp_path / "out.csv").read_text())))[1:]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert (rows[0][2], rows[0][4], rows[1][2]) == ("'=1+1", "'=x", "'+2")


def test_documents_of_one_id_are_refused_where_ids_tell_them(found, tmp_path):
    with pytest.raises(DataError, match="another document has the same id"):
        write_extractions(tmp_path / "out.html", [found[0], found[0]])
    with pytest.raises(DataError, match="another document has the same id"):
        to_networkx([found[0], found[0]])


def test_nothing_found_is_an_empty_file_of_its_form(tmp_path):
    for ending in FORMS:
        if ending == ".html":
            continue
        path = tmp_path / f"none{ending}"
        write_extractions(path, [])
        if ending in (".json", ".zip"):
            assert read_predictions(path) == []
    assert (tmp_path / "none.jsonl").read_bytes() == b""
    assert len(networkx.read_graphml(tmp_path / "none.graphml")) == 0


def test_unknown_forms_are_refused(found, tmp_path):
    with pytest.raises(DocreError, match=r"out\.txt ends in none of \.jsonl"):
        write_extractions(tmp_path / "out.txt", found)
    with pytest.raises(DocreError, match=r"out\.html\.gz ends in none"):
        write_extractions(tmp_path / "out.html.gz", found)
    with pytest.raises(DocreError, match="submission about given entities"):
        write_extractions(tmp_path / "out.zip", found, found_entities=True)
