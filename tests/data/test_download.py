import errno
import gzip
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from docre.data import download, download_command, sources, transfer
from docre.data.checksums import checksum, sidecar
from docre.data.download import DownloadError, RemoteFile, fetch
from docre.errors import DocreError

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several chunks


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@dataclass
class Page:
    """What the server sends for a path, and what it was asked."""

    body: bytes = CONTENT
    status: int = 200
    ranges: bool = True
    etag: str = '"one"'
    breaks: int = 0  # how many answers end half way
    delay: float = 0.0
    location: str = ""
    says_length: bool = True
    asked: list = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        page = self.server.pages.get(self.path, Page(b"no such page", status=404))
        page.asked.append(dict(self.headers))
        time.sleep(page.delay)
        start = 0
        asked = self.headers.get("Range", "")
        if (
            page.ranges
            and not page.location
            and asked
            and self.headers.get("If-Range") == page.etag
        ):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(page.body) and start:
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if start else page.status)
        if start:
            last = len(page.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if page.location:
            self.send_header("Location", page.location)
        if page.etag:
            self.send_header("ETag", page.etag)
        body = page.body[start:]
        if page.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if page.breaks:
            page.breaks -= 1
            body = body[: len(body) // 2]
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in download.OFFLINE_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "BACK_OFF", 0.0)


@pytest.fixture
def web():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pages = {}
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def put(web):
    """Put a page on the server and return its address."""

    def put(path, page):
        web.pages[path] = page
        return f"http://127.0.0.1:{web.server_port}{path}"

    return put


def remote(*urls, data=CONTENT, **changes):
    known = {"sha256": sha256(data), "size": len(data), **changes}
    return RemoteFile("sub/file.json", urls, **known)


def left_over(folder):
    """Return unfinished files that were not tidied away."""
    return [path.name for path in folder.rglob("*") if ".part" in path.name]


def test_downloads_once_and_then_needs_no_network(put, tmp_path):
    page = Page()
    file = remote(put("/a", page))
    path = fetch(file, tmp_path)
    assert path == tmp_path / "sub/file.json"
    assert path.read_bytes() == CONTENT
    assert fetch(file, tmp_path, offline=True) == path
    assert len(page.asked) == 1
    assert left_over(tmp_path) == []


def test_large_file_is_hashed_once(put, tmp_path, monkeypatch):
    path = fetch(remote(put("/a", Page())), tmp_path)
    read = []
    monkeypatch.setattr("docre.data.checksums.sha256_of", lambda p: read.append(p) or "0" * 64)
    assert checksum(path) == sha256(CONTENT)
    assert read == []
    os.utime(path, ns=(1, 1))
    assert checksum(path) == "0" * 64
    assert read == [path]


def test_broken_sidecar_is_not_trusted(put, tmp_path):
    file = remote(put("/a", Page()))
    path = fetch(file, tmp_path)
    for content in ("{", "[]", '{"sha256": "x"}'):
        sidecar(path).write_text(content)
        assert fetch(file, tmp_path) == path


def test_own_file_under_the_official_name_stays(tmp_path):
    path = tmp_path / "sub/file.json"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    with pytest.raises(DownloadError) as error:
        fetch(remote("http://127.0.0.1:1/a", note="second-hand"), tmp_path)
    for text in (str(path), sha256(CONTENT), sha256(b"mine"), "another name", "second-hand"):
        assert text in str(error.value)
    assert path.read_bytes() == b"mine"


def test_present_file_changed_with_the_same_size_is_noticed(put, tmp_path):
    file = remote(put("/a", Page()))
    path = fetch(file, tmp_path)
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, ns=(2, 2))
    with pytest.raises(DownloadError, match="not the file it should be"):
        fetch(file, tmp_path)


def test_folder_in_place_of_the_file(tmp_path):
    (tmp_path / "sub/file.json").mkdir(parents=True)
    with pytest.raises(DownloadError, match="cannot be read"):
        fetch(remote("http://127.0.0.1:1/a"), tmp_path)


def test_unknown_checksum_is_recorded_and_checked_afterwards(put, tmp_path, caplog):
    file = remote(put("/a", Page()), sha256=None, size=None)
    with caplog.at_level(logging.WARNING, logger="docre"):
        path = fetch(file, tmp_path)
        fetch(file, tmp_path)
    assert caplog.text.count(f"recorded {sha256(CONTENT)}") == 1
    path.write_bytes(b"changed")
    for _ in range(2):  # what was wrong once is not accepted the next time
        with pytest.raises(DownloadError, match="of its first use") as error:
            fetch(file, tmp_path)
    assert f"remove {sidecar(path)}" in str(error.value)
    sidecar(path).unlink()
    assert fetch(file, tmp_path) == path


def test_goes_on_after_a_broken_connection(put, tmp_path):
    page = Page(breaks=1)
    fetch(remote(put("/a", page)), tmp_path)
    first, second = page.asked
    assert "Range" not in first
    assert second["Range"] == f"bytes={len(CONTENT) // 2}-"
    assert second["If-Range"] == '"one"'


def test_goes_on_in_a_later_run(put, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    page = Page(breaks=1)
    file = remote(put("/a", page))
    with pytest.raises(DownloadError, match="connection broke after 524,288 of 1,048,576 bytes"):
        fetch(file, tmp_path)
    assert left_over(tmp_path)
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert page.asked[1]["Range"] == "bytes=524288-"
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    "changes",
    [{"ranges": False}, {"etag": ""}, {"etag": 'W/"weak"'}],
    ids=["range-ignored", "no-etag", "weak-etag"],
)
def test_begins_again_where_it_cannot_go_on(put, tmp_path, changes):
    page = Page(breaks=1, **changes)
    assert fetch(remote(put("/a", page)), tmp_path).read_bytes() == CONTENT
    assert len(page.asked) == 2
    if "etag" in changes:
        assert "Range" not in page.asked[1]


def test_new_version_on_the_server_is_not_mixed_with_the_old(put, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    page = Page(body=b"old" * 1000, breaks=1)
    file = remote(put("/a", page))
    with pytest.raises(DownloadError):
        fetch(file, tmp_path)
    page.body, page.etag = CONTENT, '"two"'
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_broken_first_half_is_downloaded_again(put, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    file = remote(put("/a", Page(breaks=1)))
    with pytest.raises(DownloadError):
        fetch(file, tmp_path)
    part = tmp_path / "sub/file.json.part"
    part.write_bytes(b"x" * part.stat().st_size)
    monkeypatch.setattr(download, "TRIES", 3)
    assert fetch(file, tmp_path).read_bytes() == CONTENT


def test_part_longer_than_the_file_is_thrown_away(put, tmp_path):
    url = put("/a", Page())
    part = tmp_path / "sub/file.json.part"
    part.parent.mkdir()
    part.write_bytes(b"x" * (len(CONTENT) + 5))
    part.with_name("file.json.part.json").write_text(json.dumps({"url": url, "version": '"one"'}))
    assert fetch(remote(url), tmp_path).read_bytes() == CONTENT


def test_next_mirror_after_404(put, tmp_path):
    missing, good = Page(status=404), Page()
    fetch(remote(put("/missing", missing), put("/good", good)), tmp_path)
    assert (len(missing.asked), len(good.asked)) == (1, 1)  # a 404 is not tried again


def test_server_error_is_tried_again(put, tmp_path):
    page = Page(status=503)
    with pytest.raises(DownloadError, match=r"HTTP 503 .*\(3 tries\)"):
        fetch(remote(put("/a", page)), tmp_path)
    assert len(page.asked) == 3


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1048576\n"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(body=b"<html>please log in</html>"), "wrong content: 26 bytes"),
        (Page(body=b"x" * len(CONTENT)), "wrong content: sha256"),
        (Page(body=POINTER), "Git LFS pointer"),
        (Page(body=CONTENT * 2), "2,097,152 bytes, at most 1,048,576"),
        (Page(body=CONTENT * 2, says_length=False), "more than the expected 1,048,576"),
    ],
    ids=["html", "same-size", "lfs-pointer", "too-long", "too-long-unsaid"],
)
def test_wrong_content_is_never_put_in_place(put, tmp_path, page, reason):
    page.asked.clear()
    bad = put("/bad", page)
    with pytest.raises(DownloadError) as error:
        fetch(remote(bad, put("/gone", Page(status=410))), tmp_path)
    text = str(error.value)
    assert reason in text
    assert f"{bad}: " in text
    assert "HTTP 410" in text
    assert f"put it at\n  {tmp_path / 'sub/file.json'}" in text
    assert sha256(CONTENT) in text
    assert not (tmp_path / "sub/file.json").exists()
    assert left_over(tmp_path) == []
    assert len(page.asked) == 1
    assert fetch(remote(bad, put("/good", Page())), tmp_path).read_bytes() == CONTENT


def test_gz_is_unpacked(put, tmp_path):
    packed = gzip.compress(CONTENT)
    file = remote(put("/a.gz", Page(packed)), unpack="gz", sha256_packed=sha256(packed))
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("packed", "changes", "reason"),
    [
        (gzip.compress(CONTENT * 50), {}, "unpacks to more than the expected 1,048,576 bytes"),
        (gzip.compress(CONTENT)[:-20], {}, "not a whole gz file"),
        (b"no gz at all", {}, "not a whole gz file"),
        (gzip.compress(CONTENT), {"sha256_packed": "0" * 64}, "wrong content: sha256"),
        (gzip.compress(b"other"), {}, "wrong content: 5 bytes"),
    ],
    ids=["bomb", "cut", "no-gz", "packed-checksum", "other"],
)
def test_bad_gz(put, tmp_path, packed, changes, reason):
    file = remote(put("/a.gz", Page(packed)), unpack="gz", **changes)
    with pytest.raises(DownloadError, match=reason) as error:
        fetch(file, tmp_path)
    assert "gunzip" in str(error.value)
    assert left_over(tmp_path) == []


def test_silent_server_times_out(put, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 1)
    with pytest.raises(DownloadError, match="timed out"):
        fetch(remote(put("/a", Page(delay=0.4))), tmp_path, timeout=0.1)


def test_nobody_listens(tmp_path):
    with pytest.raises(DownloadError, match="Connection refused"):
        fetch(remote("http://127.0.0.1:1/a"), tmp_path)


@pytest.mark.parametrize("variable", [None, *download.OFFLINE_VARIABLES])
def test_offline_says_which_file_to_put_where(put, tmp_path, monkeypatch, variable):
    page = Page()
    url = put("/a", page)
    if variable:
        monkeypatch.setenv(variable, "1")
    with pytest.raises(DownloadError) as error:
        fetch(remote(url), tmp_path, offline=variable is None)
    for text in ("offline", url, str(tmp_path / "sub/file.json"), sha256(CONTENT), "1,048,576"):
        assert text in str(error.value)
    assert page.asked == []


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_not_offline(put, tmp_path, monkeypatch, value):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    fetch(remote(put("/a", Page())), tmp_path)


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_only_http(put, tmp_path, scheme):
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    bad = "data:,x" if scheme == "data" else f"{scheme}://127.0.0.1{secret}"
    for url in (bad, put("/moved", Page(b"", status=302, location=bad))):
        with pytest.raises(DownloadError, match=r"only http and https|not allowed"):
            fetch(remote(url), tmp_path)


def test_follows_a_redirect_with_its_range(put, tmp_path):
    page = Page(breaks=1)
    moved = put("/moved", Page(b"", status=302, location=put("/a", page)))
    assert fetch(remote(moved), tmp_path).read_bytes() == CONTENT
    assert page.asked[1]["Range"] == "bytes=524288-"


def test_two_processes_download_once(put, tmp_path):
    page = Page(delay=0.3)
    file = remote(put("/a", page))
    code = (
        "import sys; from pathlib import Path; from docre.data.download import *;"
        f"fetch({file!r}, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    running = [subprocess.Popen(command, cwd=root) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert len(page.asked) == 1
    assert (tmp_path / "sub/file.json").read_bytes() == CONTENT


def test_waits_for_another_download(put, tmp_path, caplog):
    page = Page(delay=0.2)
    file = remote(put("/a", page))
    with caplog.at_level(logging.INFO, logger="docre"):
        threads = [threading.Thread(target=fetch, args=(file, tmp_path)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(page.asked) == 1
    assert "another process is downloading" in caplog.text


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write anywhere")
def test_read_only_folder(put, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DownloadError, match="cannot be written to"):
        fetch(remote(put("/a", Page())), tmp_path)
    tmp_path.chmod(0o700)


def test_read_only_disk(put, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DownloadError, match=r"sub.*cannot be written to"):
        fetch(remote(put("/a", Page())), tmp_path)


def test_read_only_data_folder_with_the_file_is_enough(tmp_path, monkeypatch):
    path = tmp_path / "sub/file.json"
    path.parent.mkdir()
    path.write_bytes(CONTENT)

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert fetch(remote("http://127.0.0.1:1/a"), tmp_path) == path


def test_full_disk_is_said_once_and_no_mirror_is_blamed(put, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.os, "fsync", full)
    second = Page()
    with pytest.raises(DownloadError, match="the disk is full") as error:
        fetch(remote(put("/a", Page()), put("/b", second)), tmp_path)
    assert "file.json.part" in str(error.value)
    assert second.asked == []


def test_bar_only_on_a_terminal(put, tmp_path, monkeypatch, capsys):
    file = remote(put("/a", Page()))
    fetch(file, tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(file, tmp_path / "terminal")
    out, err = capsys.readouterr()
    assert out == ""
    assert "sub/file.json" in err


def test_command_downloads_and_shows_a_table(put, tmp_path, monkeypatch, capsys):
    known = remote(put("/a", Page()))
    unknown = RemoteFile("other.json", (put("/b", Page(b"{}")),))
    monkeypatch.setattr(download_command, "files_of", lambda dataset: (known, unknown))
    monkeypatch.setenv("COLUMNS", "120")
    download_command.download("redocred", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "sub/file.json" in line)
    for text in ("1,048,576", sha256(CONTENT)[:12], "verified"):
        assert text in row
    assert any("other.json" in line and "recorded" in line for line in lines)


@pytest.mark.parametrize("dataset", sources.SOURCES)
def test_registry_is_sound(dataset):
    files = sources.files_of(dataset)
    assert len({file.name for file in files}) == len(files) > 0
    for file in files:
        assert not Path(file.name).is_absolute()
        assert ".." not in Path(file.name).parts
        assert all(url.startswith("https://") for url in file.urls)
        assert file.size
        assert file.note
        for digest in (file.sha256, file.sha256_packed):
            assert digest is None or (len(digest) == 64 and int(digest, 16))
        assert all(url.endswith(".gz") for url in file.urls) or not file.unpack
        assert sources.file_of(dataset, file.name) is file


def test_registry_says_what_to_do_by_hand():
    for dataset, name in (("cdr", "train_filter.data"), ("gda", "train.data")):
        with pytest.raises(DocreError, match=name):
            sources.files_of(dataset)
    with pytest.raises(DocreError, match=r"unknown data set 'docre'; known are redocred"):
        sources.files_of("docre")
    with pytest.raises(DocreError, match=r"no file 'train.json'; its files are train_revised"):
        sources.file_of("redocred", "train.json")
