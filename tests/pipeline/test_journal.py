"""What has been predicted so far, and where to go on."""

import os

import pytest

from docre.disk import DiskError
from docre.documents import Document
from docre.pipeline.extraction import Extraction
from docre.pipeline.journal import Journal
from docre.pipeline.outcome import Outcome

TASK = {"model": "one"}


def outcomes(first, last):
    documents = (Document.from_text(f"text {k}", f"Number {k}.") for k in range(first, last))
    return [Outcome(one.id, Extraction(one, {})) for one in documents]


def begun(target):
    """A journal that was killed behind three chunks of two documents and one of one."""
    with Journal(target, TASK, together=2) as journal:
        for first in (0, 2, 4):
            journal.add(outcomes(first, first + 2))
        journal.add(outcomes(6, 7))
    return journal.path


@pytest.mark.parametrize(
    ("torn", "done"),
    [
        (0, 6),  # the last chunk is short: whether it was whole nobody knows
        (1, 6),
        (200, 4),
        (10_000, 0),
    ],
)
def test_what_was_predicted_together_is_cut_off_together(tmp_path, torn, done):
    """Predicted in another company, a document is padded otherwise: its scores would be others."""
    path = begun(tmp_path / "out.jsonl")
    os.truncate(path, max(path.stat().st_size - torn, 0))
    with Journal(tmp_path / "out.jsonl", TASK, together=2) as journal:
        assert journal.done == done
        kept = [document.id for document, _ in journal.lines()]
        assert kept == [f"text {k}" for k in range(done)]
        journal.add(outcomes(done, 7))
        assert [one.id for one, _ in journal.lines()] == [f"text {k}" for k in range(7)]


def test_a_disk_that_is_full_from_the_beginning(tmp_path, monkeypatch):
    def full(self, header, together):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "_continue", full)
    with pytest.raises(DiskError, match=r"cannot write .*out.jsonl.part: the disk is full; free"):
        Journal(tmp_path / "out.jsonl", TASK)
