"""Files that are whole or not there, and what a disk says that takes no more."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from docre.data.writing import atomic_file, write_lines
from docre.disk import DiskError, refusal, refusals_said

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from pathlib import Path
from docre.data.writing import atomic_file, write_lines
with atomic_file(Path(sys.argv[1])) as file:
    file.write(b"half of it")
    file.flush()
    print("begun", flush=True)
    sys.stdin.read()
"""


def writer(target):
    """Another process that is in the middle of writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, target],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begun\n"
    return process


def write(target, content):
    with atomic_file(target) as file:
        file.write(content)


def test_what_a_kill_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    target, other = tmp_path / "out.json", tmp_path / "out.json.2"
    live, killed, of_other = writer(target), writer(target), writer(other)
    for process in (killed, of_other):
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len(list(tmp_path.iterdir())) == 3
    write(target, b"all of it")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"out.json", f".out.json.{live.pid}.part", f".out.json.2.{of_other.pid}.part"}
    assert target.read_bytes() == b"all of it"
    live.communicate()  # goes on and ends
    assert live.returncode == 0
    assert target.read_bytes() == b"half of it"
    write(other, b"")
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.json.2"}


def test_an_error_leaves_what_was_there(tmp_path):
    target = tmp_path / "out.json"
    write(target, b"before")

    def pieces():
        yield b"half of it"
        raise KeyError

    with pytest.raises(KeyError):
        write_lines(target, pieces())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


@pytest.mark.parametrize("name", ["out.json", "out.json.gz"])
def test_a_disk_that_takes_no_more(tmp_path, name):
    target = tmp_path / name
    write(target, b"before")
    kept = target.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(DiskError) as caught:
            write(target, os.urandom(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(f"cannot write {target}: files may not become that large")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [kept]


def test_a_folder_that_cannot_be_there(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"cannot write .*what should be a folder there is a file"):
        write(tmp_path / "file" / "deeper" / "out.json", b"")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only", "place/.out.1.part"), "the file system is read-only"),
        (OSError(errno.EACCES, "denied", "place"), "permission is denied"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
    ],
)
def test_what_a_disk_refuses_is_said_with_the_place(error, message):
    said = pytest.raises(DiskError, match=f"cannot write place/out: {message}")
    with said as caught, refusals_said(Path("place/out")):
        raise error
    assert caught.value.__cause__ is error


def test_an_error_that_nobody_has_translated():
    denied = refusal(OSError(errno.EACCES, "Permission denied", "place/out"))
    assert denied.startswith("place/out: permission is denied there; choose another place")
    other = OSError(errno.ENOENT, "No such file or directory", "place/out")
    assert refusal(other) == str(other)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "denied", "elsewhere/read.json"),  # of a file that is read
        ConnectionResetError(errno.ECONNRESET, "reset"),
        RuntimeError("something else"),
    ],
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, refusals_said(Path("place/out")):
        raise error
    assert caught.value is error
