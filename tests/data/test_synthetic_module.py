"""The folder of the synthetic corpus is checked before it is used."""

import logging
import shutil

import pytest

from docre.data.modules import SyntheticDocRED
from docre.data.modules import synthetic as module


def make(folder, **options):
    return SyntheticDocRED(
        data_dir=str(folder),
        train_documents=12,
        dev_documents=4,
        test_documents=4,
        vocabulary_size=900,
        **options,
    )


def content(made):
    files = (path for path in made.folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(made.folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    made = make(tmp_path_factory.mktemp("original"))
    made.fetch()
    return made


@pytest.fixture
def copied(original, tmp_path):
    copy = make(tmp_path)
    shutil.copytree(original.folder, copy.folder)
    return copy


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200] + b"]")


def change(path):
    data = path.read_bytes()
    path.write_bytes(data[:50] + b"X" + data[51:])


def remove(path):
    path.unlink()


@pytest.mark.parametrize("harm", [truncate, change, remove])
@pytest.mark.parametrize(
    "name",
    [
        "train.json",
        "test.json",
        "manifest.json",
        "tokenizer-900/tokenizer.json",
        "tokenizer-900/tokenizer_config.json",
        "tokenizer-900/manifest.json",
    ],
)
def test_what_is_damaged_is_made_again_with_a_warning(original, copied, name, harm, caplog):
    harm(copied.folder / name)
    with caplog.at_level(logging.WARNING):
        copied.fetch()
    assert content(copied) == content(original)
    assert len(caplog.messages) == 1
    assert "made again" in caplog.text
    assert name in caplog.text.replace(": ", "/") or "manifest" in name


def test_what_is_whole_is_left_alone(copied, tmp_path, caplog):
    stamps = {path: path.stat().st_mtime_ns for path in copied.folder.rglob("*.json")}
    with caplog.at_level(logging.WARNING):
        copied.fetch()
        make(tmp_path / "new").fetch()
    assert stamps == {path: path.stat().st_mtime_ns for path in copied.folder.rglob("*.json")}
    assert caplog.messages == []


def test_a_build_that_died_is_made_again(original, copied):
    (copied.folder / "manifest.json").unlink()
    shutil.rmtree(copied.vocabulary)
    (copied.folder / ".tokenizer-900.part").mkdir()
    (copied.folder / ".tokenizer-900.part" / "half.json").write_text("{")
    copied.fetch()
    assert content(copied) == content(original)


def test_the_folder_is_named_after_the_code_too(tmp_path, monkeypatch):
    before = make(tmp_path).folder
    assert make(tmp_path).folder == before
    monkeypatch.setattr(module, "_code_hash", lambda: "other code")
    assert make(tmp_path).folder != before
