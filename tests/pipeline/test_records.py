"""Files cut into records a piece at a time, held against cutting them as a whole."""

import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.data.formats.json_text import split_json
from docre.errors import DataError
from docre.pipeline import records
from docre.pipeline.records import array_records, line_records, records_of

TEXTS = st.text(st.sampled_from('ab"\\{}[],:\n é\u2028😀'), max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=5)


class Slow(io.BytesIO):
    """Gives out a few bytes at a time."""

    def __init__(self, data, size):
        super().__init__(data)
        self.size = size

    def read(self, size=-1):
        return super().read(self.size if size > 0 else size)


def decoded(found):
    return [json.loads(record) for record in found]


def until_error(found):
    """What is yielded before an error, and the error."""
    kept = []
    try:
        for record in found:
            kept.append(json.loads(record))  # noqa: PERF401 - what came before an error counts
    except DataError as error:
        return kept, error
    return kept, None


@given(OBJECTS, st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None)
def test_an_array_is_cut_as_it_was_put_together(objects, size, indent, ascii_only):
    data = json.dumps(objects, indent=indent, ensure_ascii=ascii_only).encode()
    assert decoded(array_records(Slow(data, size))) == objects


@given(OBJECTS, st.integers(1, 9))
@settings(deadline=None)
def test_lines_are_cut_as_they_were_put_together(objects, size):
    data = "".join(f"{json.dumps(one)}\n" for one in objects).encode()
    assert decoded(line_records(Slow(data, size))) == objects


@given(OBJECTS.filter(bool), st.integers(1, 9), st.data())
@settings(deadline=None)
def test_an_array_that_breaks_off_gives_its_whole_elements_and_an_error(objects, size, data):
    whole = json.dumps(objects).encode()
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    found, error = until_error(array_records(Slow(cut, size)))
    assert found == objects[: len(found)]
    assert found == until_error(split_json(cut))[0]
    assert f"after document {len(found)}" in str(error)


@pytest.mark.parametrize(
    "text", ['[{"a": 1} {"b": 2}]', '[{"a": 1}] x', "[1, 2]", '[{"a": 1}, 7]', '["x"]', "[[1], 2]"]
)
def test_what_is_no_list_of_objects_is_an_error(text):
    with pytest.raises(DataError, match="broken JSON"):
        list(array_records(io.BytesIO(text.encode())))


def test_one_object_over_several_lines_is_one_record():
    text = json.dumps({"id": "a", "sentences": [["b"]]}, indent=1)
    assert decoded(line_records(io.BytesIO(text.encode()))) == [json.loads(text)]


def test_a_broken_first_line_does_not_hide_the_others():
    found = list(line_records(io.BytesIO(b'{"id": \n{"id": "b"}\n\n{"id": "c"}')))
    assert found == [b'{"id": ', b'{"id": "b"}', b'{"id": "c"}']


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_never_held_as_a_whole(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(records, "_PIECE", 1 << 12)
    one = {"id": "x", "sentences": [["word"] * 50], "entities": []}
    data = json.dumps([{**one, "id": str(n)} for n in range(2000)]).encode()
    path = tmp_path / ("a.json.gz" if packed else "a.json")
    path.write_bytes(gzip.compress(data) if packed else data)
    chosen, found = records_of(path)
    assert chosen.name == "docre"
    import tracemalloc

    next(found)
    tracemalloc.start()
    assert sum(1 for _ in found) == 1999
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(data) / 4
