"""The file of logits: what goes in comes out, from where it lies."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from docre.distillation import store
from docre.distillation.selection import strongest
from docre.distillation.store import LogitFile, LogitHeader, write_logits
from docre.errors import DocreError

ROOT = Path(__file__).resolve().parents[2]


def header(relations=6, top_k=None, **known):
    names = tuple(f"r{k}" for k in range(relations))
    known = {"teacher": "t" * 32, "source": "s" * 32, "features": {"markers": "entity"}, **known}
    return LogitHeader(relations=names, top_k=top_k, **known)


def random_logits(sizes, relations=6, seed=0, scale=5.0):
    random = np.random.default_rng(seed)
    return {
        f"dökument {k}": (random.standard_normal((size, 1 + relations)) * scale).astype(np.float32)
        for k, size in enumerate(sizes)
    }


def write(path, dense, top_k=None, relations=6, **known):
    with write_logits(path, header(relations, top_k, **known)) as file:
        for name, logits in dense.items():
            if top_k is None:
                file.add(name, logits)
            else:
                kept = strongest(torch.from_numpy(logits), top_k)
                file.add(name, *(part.numpy() for part in kept))
    return LogitFile(path)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 12), max_size=8),
    relations=st.sampled_from([1, 3, 96, 255, 256, 300]),
    top_k=st.none() | st.integers(2, 20),
    chunk=st.sampled_from([1, 500, 1 << 24]),
    seed=st.integers(0, 99),
)
def test_round_trip(tmp_path_factory, sizes, relations, top_k, chunk, seed):
    top_k = None if top_k is None or top_k > relations else top_k
    dense = random_logits(sizes, relations, seed)
    path = tmp_path_factory.mktemp("trip") / "x.arrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_CHUNK", chunk)
        file = write(path, dense, top_k, relations)
    assert list(file) == list(dense)
    assert len(file) == len(sizes)
    assert file.header == header(relations, top_k)
    for name, logits in dense.items():
        assert name in file
        assert file.num_pairs(name) == len(logits)
        values, columns = file.rows(name)
        half = logits.astype(np.float16)
        assert values.dtype == np.float16
        if top_k is None:
            assert columns is None
            np.testing.assert_array_equal(values, half)
            continue
        assert columns.dtype == (np.uint8 if relations < 256 else np.uint16)
        assert values.shape == columns.shape == (len(logits), top_k)
        for row in range(len(logits)):
            best = sorted(range(1, 1 + relations), key=lambda c: -logits[row, c])[: top_k - 1]
            assert columns[row].tolist() == [0, *best]
            np.testing.assert_array_equal(values[row], half[row, [0, *best]])


def test_several_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_CHUNK", 200)
    write(tmp_path / "x.arrow", random_logits([5] * 9))
    # 70 bytes a document
    with pa.ipc.open_file(tmp_path / "x.arrow") as reader:
        sizes = [reader.get_batch(k).num_rows for k in range(reader.num_record_batches)]
    assert sizes == [3, 3, 3]


def test_size(tmp_path):
    """2 bytes a logit, 1 a column, and little else."""
    dense = random_logits([400] * 20, relations=96)
    pairs = 8000
    write(tmp_path / "full.arrow", dense, relations=96)
    write(tmp_path / "some.arrow", dense, 16, relations=96)
    assert (tmp_path / "full.arrow").stat().st_size == pytest.approx(2 * pairs * 97, rel=0.01)
    assert (tmp_path / "some.arrow").stat().st_size == pytest.approx(3 * pairs * 16, rel=0.02)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_rows_are_views_into_the_mapped_file(tmp_path):
    path = tmp_path / "big.arrow"
    dense = random_logits([20_000] * 8, relations=96)
    write(path, dense, relations=96)
    del dense
    assert path.stat().st_size > 30e6
    process = psutil.Process()
    before = process.memory_info().rss
    file = LogitFile(path)
    assert process.memory_info().rss - before < 3e6
    values, _ = file.rows("dökument 3")
    assert process.memory_info().rss - before < 8e6
    address = values.__array_interface__["data"][0]
    spans = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(path))
    ]
    assert any(start <= address < end for start, end in spans)


def test_what_half_precision_cannot_hold(tmp_path, caplog):
    logits = np.array([[0.0, 7e4, -np.inf], [65504.0, -65504.0, 1e-9]], np.float32)
    with caplog.at_level(logging.WARNING):
        file = write(tmp_path / "x.arrow", {"a": logits}, relations=2)
    values, _ = file.rows("a")
    assert values.tolist() == [[0, 65504, -65504], [65504, -65504, 0]]
    assert "2 logits were clipped" in caplog.text
    caplog.clear()
    write(tmp_path / "y.arrow", {"a": logits[1:]}, relations=2)
    assert caplog.text == ""


# --- whole or not at all --------------------------------------------------------------------------


def fail_after(path, logits):
    with write_logits(path, header()) as file:
        file.add("a", logits)
        raise ZeroDivisionError


def test_an_error_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail_after(tmp_path / "x.arrow", random_logits([4])["dökument 0"])
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "x.arrow"
    old = random_logits([3], seed=1)
    write(path, old)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        fail_after(path, old["dökument 0"])
    assert path.read_bytes() == before


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from docre.distillation import store
store._CHUNK = 1
header = store.LogitHeader(teacher="", source="", relations=("a", "b"))
with store.write_logits(Path(sys.argv[1]), header) as file:
    for k in range(100):
        file.add(str(k), np.zeros((50, 3)))
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_kill_leaves_no_file_of_that_name(tmp_path):
    path = tmp_path / "x.arrow"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    left = [found.name for found in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].endswith(".part")
    # what is left is no file of logits either
    with pytest.raises(DocreError, match="or not all of one"):
        LogitFile(tmp_path / left[0])


# --- errors ---------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "x.arrow", random_logits([4, 0, 3]), top_k=3)
    return tmp_path / "x.arrow"


def test_documents_that_are_not_there(path):
    file = LogitFile(path)
    for ask in (file.rows, file.num_pairs):
        with pytest.raises(DocreError, match=r"x\.arrow has no logits of document 'other'"):
            ask("other")
    assert "other" not in file


def test_no_file(tmp_path):
    for name in ("none.arrow", "."):
        with pytest.raises(DocreError, match="no such file"):
            LogitFile(tmp_path / name)


def test_truncated_at_any_place(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 16):
        path.write_bytes(whole[:length])
        with pytest.raises(DocreError, match=r"x\.arrow is no file of logits, or not all of one"):
            LogitFile(path)


def test_other_bytes_never_go_unseen(path):
    """A changed byte is an error, or was in bytes that nobody reads."""
    whole = path.read_bytes()
    file = LogitFile(path)
    expected = {name: [part.tolist() for part in file.rows(name)] for name in file}
    known = file.header
    del file
    seen = 0
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        path.write_bytes(changed)
        try:
            file = LogitFile(path)
            found = {name: [part.tolist() for part in file.rows(name)] for name in file}
        except DocreError:
            seen += 1
            continue
        names_or_header = found.keys() != expected.keys() or file.header != known
        assert names_or_header or found == expected, place
    assert seen > len(whole) / 7 / 4


def test_a_changed_logit_names_its_document(path):
    values, _ = LogitFile(path).rows("dökument 2")
    piece = values.tobytes()
    whole = path.read_bytes()
    assert whole.count(piece) == 1
    path.write_bytes(whole.replace(piece, piece[:-1] + bytes([piece[-1] ^ 1])))
    file = LogitFile(path)
    file.rows("dökument 0")
    with pytest.raises(DocreError, match="damaged: the logits of document 'dökument 2'"):
        file.rows("dökument 2")


def test_foreign_files(tmp_path):
    path = tmp_path / "x.arrow"
    path.write_text("{}")
    with pytest.raises(DocreError, match="no file of logits"):
        LogitFile(path)
    with pa.ipc.new_file(str(path), pa.schema([pa.field("id", pa.string())])):
        pass
    with pytest.raises(DocreError, match="no file of logits of docre"):
        LogitFile(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (b"[]", "does not say what it is"),
        (b'{"format": 1}', "does not say what it is"),
        (b"\xff", "does not say what it is"),
        (msgspec.json.encode({"format": 2, "new": 1}), "has layout 2, .* reads layout 1"),
        (msgspec.json.encode(header()), "its columns are others"),
    ],
)
def test_other_headers(tmp_path, metadata, message):
    path = tmp_path / "x.arrow"
    schema = pa.schema([pa.field("id", pa.string())], metadata={store._KEY: metadata})
    with pa.ipc.new_file(str(path), schema):
        pass
    with pytest.raises(DocreError, match=message):
        LogitFile(path)


def test_what_cannot_be_written(tmp_path):
    logits = np.zeros((2, 7))
    with write_logits(tmp_path / "twice" / "x.arrow", header()) as file:
        file.add("a", logits)
        with pytest.raises(DocreError, match="two documents are called 'a'"):
            file.add("a", logits)
    assert list(LogitFile(tmp_path / "twice" / "x.arrow")) == ["a"]
    wrong = [
        ((np.zeros((2, 6)),), ValueError, r"\[P, 7\], not \(2, 6\)"),
        ((logits, logits.astype(int)), ValueError, "exactly where not all"),
        ((np.full((2, 7), np.nan),), DocreError, "'b': the teacher's logits are not numbers"),
    ]
    for arguments, kind, message in wrong:
        with (
            pytest.raises(kind, match=message),
            write_logits(tmp_path / "x.arrow", header()) as file,
        ):
            file.add("b", *arguments)
    with (
        pytest.raises(ValueError, match=r"columns \(1, 3\)"),
        write_logits(tmp_path / "x.arrow", header(top_k=3)) as file,
    ):
        file.add("b", np.zeros((2, 3)), np.zeros((1, 3), int))
    assert [found.name for found in tmp_path.iterdir()] == ["twice"]
