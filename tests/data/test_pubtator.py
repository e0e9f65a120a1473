from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.formats.pubtator import PubTatorFormat
from docre.data.reading import ReadReport, read_documents
from docre.documents import Document, check
from docre.errors import DataError
from tests.corpora import corpus

FORMAT = PubTatorFormat(pair_types=(("Chemical", "Disease"),))  # as the CDR module has it
FREE = PubTatorFormat()
BLOCK = """\
77|t|zorbin and the skin: a mouse study
77|a|after zorbin, itching and burning pain came. Plumox did not help. Some sneezed.
77\t0\t6\tzorbin\tChemical\tC1
77\t41\t47\tzorbin\tChemical\tC1
77\t49\t73\titching and burning pain\tDisease\tD1|D2\titching|burning pain
77\t80\t86\tPlumox\tChemical\tC2
77\t106\t113\tsneezed\tDisease\t-1
77\tCID\tC1\tD1
77\tCID\tC1\tD9
77\tCID\tC1\tD2

"""


def parse(text, format=FORMAT):
    records = list(format.split(text.encode()))
    assert len(records) == 1
    return format.parse(records[0], 3)


def rendered(*documents, format=FORMAT):
    return b"".join(format.render(documents)).decode()


def triples(document):
    return [(r.head, r.tail, r.relation) for r in document.relations]


def test_a_block_becomes_a_document():
    document, notes = parse(BLOCK)
    assert check(document) == []
    assert document.id == "77"
    assert document.extra["title"] == "zorbin and the skin: a mouse study"
    assert [(e.id, e.type) for e in document.entities] == [
        ("C1", "Chemical"),
        ("D1", "Disease"),
        ("D2", "Disease"),
        ("C2", "Chemical"),
        ("", "Disease"),
    ]
    assert document.surface(document.entities[2].mentions[0]) == "itching and burning pain"
    assert document.candidates == ((0, 1), (0, 2), (3, 1), (3, 2))
    assert triples(document) == [(0, 1, "CID"), (0, 2, "CID")]
    assert [(n.code, n.severity, n.field) for n in notes] == [
        ("missing-entity", "note", "relations[1]")
    ]


def test_the_title_is_a_sentence_whatever_it_ends_with():
    document, _ = parse(BLOCK)
    title = document.extra["title"]
    assert document.offsets[0][-1][1] == len(title)
    assert document.sentences[1][0] == "after"


def test_a_block_is_written_back_as_it_was():
    assert rendered(parse(BLOCK)[0]) == BLOCK


@pytest.mark.parametrize("id", ["-", "-1", "-1|-1", "-1|D5", "D5|D5", ""])
def test_odd_ids_are_written_back(id):
    block = BLOCK.replace("Disease\t-1", f"Disease\t{id}")
    document, _ = parse(block)
    assert document.entities[-1].id == ("D5" if "D5" in id else "")
    assert rendered(document) == block


def test_unlinked_mentions_are_entities_of_their_own():
    document, _ = parse(BLOCK.replace("\tC1", "\t-").replace("\tC2", "\t-"))
    assert [entity.id for entity in document.entities] == ["", "", "D1", "D2", "", ""]
    assert document.candidates == ()


def test_mentions_out_of_order_and_spans_with_blanks_are_written_back():
    lines = BLOCK.splitlines(keepends=True)
    lines[2:7] = [lines[5], lines[2], "77\t40\t47\t zorbin\tChemical\tC1\n", lines[4], lines[6]]
    block = "".join(lines)
    document, notes = parse(block)
    assert [note.code for note in notes] == ["missing-entity"]
    assert rendered(document) == block


def test_a_surface_that_differs_from_the_text_is_a_note():
    block = BLOCK.replace("Plumox\tChemical", "PLUMOX\tChemical")
    document, notes = parse(block)
    assert "surface-mismatch" in [note.code for note in notes]
    assert rendered(document) == block


def test_repeated_and_untyped_relations_are_notes_and_written_back():
    block = BLOCK.replace("\n\n", "\n77\tCID\tC1\tD1\n77\tCID\tD1\tC1\n\n")
    document, notes = parse(block)
    assert Counter(n.code for n in notes) == {
        "missing-entity": 1,
        "duplicate-relation": 1,
        "untyped-pair": 1,
    }
    assert rendered(document) == block
    free, notes = parse(block, FREE)
    assert free.candidates is None
    assert (1, 0, "CID") in triples(free)
    assert "untyped-pair" not in [note.code for note in notes]


def test_any_types_may_be_related_unless_pair_types_are_given():
    block = BLOCK.replace("Chemical", "PER").replace("Disease", "ORG") + "\n"
    block = block.replace("\n\n", "\n77\tbinds\tC1\tC2\tNovel\n\n").rstrip("\n") + "\n\n"
    document, notes = parse(block, FREE)
    assert document.candidates is None
    assert triples(document) == [(0, 1, "CID"), (0, 2, "CID"), (0, 3, "binds")]
    assert [note.code for note in notes] == ["missing-entity"]  # D9 has no mention
    assert rendered(document, format=FREE) == block


def test_relations_that_were_passed_over_are_not_written_beside_predictions():
    document, _ = parse(BLOCK)
    predicted = tuple(replace(label, score=0.5) for label in document.relations)
    assert "D9" not in rendered(replace(document, relations=predicted))
    assert "D9" not in rendered(replace(document, relations=document.relations[:1]))


def test_a_block_without_relations_is_labelled_and_empty():
    document, notes = parse("5|t|One.\n5|a|\n")
    assert document.relations == ()
    assert document.candidates == ()
    assert document.text == "One. "
    assert notes == []
    assert rendered(document) == "5|t|One.\n5|a|\n\n"


def test_documents_from_elsewhere_read_back_equal():
    document = Document.from_text(
        "new", "Ann met Bo. Bo left.", {"a": [(0, 3)], "b": [(8, 10), (12, 14)]}, [(0, 1, "met")]
    )
    again, _ = parse(rendered(document), FREE)
    assert again.extra["title"] == "Ann met Bo."
    assert (again.text, again.sentences) == (document.text, document.sentences)
    assert (again.entities, again.relations) == (document.entities, document.relations)


def test_documents_of_words_get_a_text():
    document = Document.from_words(
        "new", [["Ann", "left", "."], ["Bo", "too"]], [[(0, 0, 1)], [(1, 0, 1)]], [(0, 1, "r")]
    )
    again, _ = parse(rendered(document), FREE)
    assert again.text == "Ann left . Bo too"
    assert [entity.id for entity in again.entities] == ["E0", "E1"]
    assert again.sentences == document.sentences
    assert triples(again) == [(0, 1, "r")]


@pytest.mark.parametrize("id", ["a\tb", "a\nb", "a|t|b"])
def test_what_would_break_the_form_cannot_be_written(id):
    with pytest.raises(DataError) as caught:
        rendered(Document.from_words(id, [["x"]]))
    assert caught.value.problems[0].code == "cannot-write"


def test_equal_ids_cannot_be_written():
    document, _ = parse(BLOCK)
    with pytest.raises(DataError, match="2 entities have the id 'C1'"):
        rendered(replace(document, entities=document.entities[:1] * 2, relations=()))


@pytest.mark.parametrize(
    ("old", "new", "code", "field"),
    [
        ("77|t|", "77|x|", "missing-title", "line 1"),
        ("77|a|", "78|a|", "missing-abstract", "line 2"),
        ("77\t41\t", "78\t41\t", "foreign-line", "line 4"),
        ("77\t41\t47", "77\t4x\t47", "wrong-type", "line 4 (start)"),
        ("77\t41\t47", "77\t41\t-7", "wrong-type", "line 4 (end)"),
        ("\tPlumox\tChemical\tC2", "\tPlumox\tChem", "wrong-columns", "line 6"),
        ("\tC1\tD2\n\n", "\tC1", "wrong-columns", "line 10"),
        ("\t41\t47\t", "\t41\t41\t", "span-out-of-range", "entities[0].mentions[1]"),
        ("\t106\t113\t", "\t106\t999\t", "span-out-of-range", "entities[4].mentions[0]"),
    ],
)
def test_broken_blocks_are_named(old, new, code, field):
    assert old in BLOCK
    with pytest.raises(DataError) as caught:
        parse(BLOCK.replace(old, new))
    problem = caught.value.problems[0]
    assert (problem.code, problem.field) == (code, field)
    assert problem.document in ("77", "#3")


def test_other_encodings_are_named():
    with pytest.raises(DataError) as caught:
        FORMAT.parse(BLOCK.replace("pain", "på").encode("latin-1"), 3)
    assert caught.value.problems[0].code == "not-utf8"


def test_line_ends_of_windows_and_further_blank_lines_are_fine():
    data = ("\ufeff\r\n" + BLOCK.replace("\n", "\r\n") + "\r\n\r\n").encode()
    assert [FORMAT.parse(record, 0) for record in FORMAT.split(data)] == [parse(BLOCK)]


@pytest.mark.parametrize(
    ("name", "relations", "mentions"),
    [("CDR_TrainingSet", 1038, 9385), ("CDR_DevelopmentSet", 1012, 9591)],
)
def test_real_files_come_back_byte_for_byte(name, relations, mentions):
    file = corpus(f"cdr/{name}.PubTator.txt")
    report = ReadReport()
    documents = read_documents(file, FORMAT, report=report)
    assert len(documents) == 500
    assert report.problems == []
    assert sum(len(document.relations) for document in documents) == relations
    written = b"".join(FORMAT.render(documents))
    assert written == file.read_bytes()
    assert sum(line.count(b"\t") >= 5 for line in written.split(b"\n")) == mentions
    free = read_documents(file)  # what the file itself is recognised as
    assert b"".join(FREE.render(free)) == written
    assert sum(len(document.relations) for document in free) == relations


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_files_raise_nothing_but_data_errors(data):
    raw = bytearray((BLOCK + BLOCK.replace("77", "78")).encode())
    bits = [b"", b"\t", b"|", b" ", b"9", b"\n", b"\n\n", b"\xff", b"\r", b"-1", b"C1", b"\xc2\xa0"]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        end = data.draw(st.integers(at, min(len(raw), at + 6)))
        raw[at:end] = data.draw(st.sampled_from(bits))
        raw = raw or bytearray(b"\t")
    try:
        records = list(FORMAT.split(bytes(raw)))
    except DataError:
        return
    for index, record in enumerate(records):
        try:
            document, _ = FORMAT.parse(record, index)
        except DataError:
            continue
        if not check(document) and "\r" not in record.decode():
            again, _ = FORMAT.parse(next(FORMAT.split(rendered(document).encode())), index)
            assert (again.text, again.relations) == (document.text, document.relations)
            assert again.entities == document.entities
