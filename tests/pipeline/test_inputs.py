"""Documents from files and folders, the bad ones with what is wrong with them."""

import gzip
import json

import pytest

from docre import Document, read_documents, write_documents
from docre.errors import DataError, DocreError
from docre.pipeline.inputs import read_stream, require_formats, sources_of
from tests.toy import document


def stream(*paths, **options):
    return list(read_stream(sources_of(paths).files, **options))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.jsonl.gz", "b.docred.json"])
def test_documents_are_those_that_reading_the_whole_file_gives(tmp_path, name):
    made = [document(seed) for seed in range(30)]
    path = tmp_path / name
    write_documents(path, made, "docred" if "docred" in name else None)
    asked = stream(path)
    assert [one.document for one in asked] == read_documents(path)
    assert [one.number for one in asked] == list(range(30))
    assert not any(one.problems for one in asked)


def test_a_folder_is_its_texts_by_name(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, text in (("b.txt", "Bo met Ada."), ("a.txt", "\ufeffÄrger."), ("deep/c.txt", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "notes.md").write_text("not this")
    asked = stream(tmp_path)
    assert [one.document.id for one in asked] == ["a", "b", "deep/c"]
    assert [one.document.text for one in asked] == ["Ärger.", "Bo met Ada.", ""]


def test_folders_are_looked_through_with_care(tmp_path):
    folder = tmp_path / "texts"
    for name in ("a.txt", "B.TXT", "data.jsonl", ".hidden/h.txt", "sub/a.txt", "c.d.txt"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(name)
    (folder / "packed.txt.gz").write_bytes(gzip.compress(b"packed"))
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    sources = sources_of([folder])
    assert [one.name for one in sources.files] == ["B", "a", "c.d", "packed", "sub/a"]
    assert sources.passed_over == 1
    assert [one.document.text for one in stream(folder)][3] == "packed"
    # one by one, two files of one name are told by where they are
    asked = stream(folder / "a.txt", folder / "sub" / "a.txt", folder / "B.TXT")
    assert [one.document.id for one in asked] == [f"{folder}/a", f"{folder}/sub/a", "B"]


def test_a_file_that_is_gone_meanwhile_does_not_stop_the_rest(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    write_documents(tmp_path / "c.jsonl", [document(1)])
    files = sources_of([tmp_path / "a.txt", tmp_path / "c.jsonl", tmp_path / "b.txt"]).files
    (tmp_path / "a.txt").unlink()
    (tmp_path / "c.jsonl").unlink()
    asked = list(read_stream(files))
    assert [one.document is None for one in asked] == [True, True, False]
    assert [one.problems[0].code for one in asked[:2]] == ["no-file", "no-file"]


def test_bad_documents_are_named_and_the_others_come(tmp_path):
    good = {
        "sentences": [["a", "b"]],
        "entities": [{"mentions": [{"sentence": 0, "start": 0, "end": 1}]}],
    }
    bad = {**good, "entities": [{"mentions": [{"sentence": 0, "start": 0, "end": 9}]}]}
    lines = [
        {"id": "one", **good},
        {"id": "two", **bad},
        {"id": "one", **good},
        {"id": "three", **good},
    ]
    path = tmp_path / "some.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in lines) + "{broken\n")
    (tmp_path / "latin.txt").write_bytes("Ärger".encode("latin-1"))
    asked = stream(path, tmp_path / "latin.txt")
    assert [one.document is None for one in asked] == [False, True, True, False, True, True]
    assert [one.name for one in asked] == ["one", "two", "one", "three", "#4", "latin"]
    codes = [[problem.code for problem in one.problems] for one in asked]
    assert codes == [
        [],
        ["span-out-of-range"],
        ["duplicate-title"],
        [],
        ["broken-json"],
        ["not-utf8"],
    ]
    assert all(problem.source for one in asked for problem in one.problems)
    mended = stream(path, on_error="fix")
    assert [one.document and one.document.id for one in mended] == [
        "one",
        "two",
        "one#2",
        "three",
        None,
    ]
    assert len({one.document.id for one in mended if one.document}) == 4


def test_a_file_that_breaks_off_gives_what_is_whole(tmp_path):
    path = tmp_path / "some.json"
    write_documents(path, [document(seed) for seed in range(4)])
    path.write_bytes(path.read_bytes()[:-20])
    asked = stream(path)
    assert [one.document is None for one in asked] == [False, False, False, True]
    assert "breaks off after document 3" in str(asked[3].problems[0])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"", "the file is empty|cannot tell the format"),
        ("a.bin", b"\x00\x01\x02" * 100, "cannot tell the format|not UTF-8"),
        ("a.json", b'[{"h_idx": 0, "t_idx": 1}]', "a file of predictions"),
        ("a.jsonl.gz", b"no gzip", "cannot be read"),
    ],
)
def test_files_that_are_no_documents_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        require_formats(sources_of([path]).files)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DocreError, match="no such file or folder"):
        sources_of([tmp_path / "none.json"])
    with pytest.raises(DocreError, match=r"has no \.txt file"):
        sources_of([tmp_path])
    with pytest.raises(DocreError, match="at least one"):
        sources_of([])


def test_other_formats_are_read_too(tmp_path):
    path = tmp_path / "some.pubtator.gz"
    text = "1|t|Aspirin and pain.\n1|a|Aspirin helps.\n1\t0\t7\tAspirin\tChemical\tD001241\n\n"
    path.write_bytes(gzip.compress(text.encode()))
    (asked,) = stream(path)
    assert isinstance(asked.document, Document)
    assert asked.document.id == "1"
