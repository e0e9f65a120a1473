"""A disk that is full, and one that is read-only: one message each, and nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docre import read_documents, write_documents
from tests.distillation.runs import fit, made_file
from tests.reliability.kills import here

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.reliability,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], check=False
        ).returncode,
        reason="no disk of one's own can be mounted here (user namespaces)",
    ),
]
SAID = {
    "full": ("the disk is full", "No space left on device"),
    "read-only": ("the file system is read-only", "Read-only file system"),
}
# what a training that goes on writes anew, whole, before anything is learnt
CHANGED = {"go on training": {"config.yaml", "run.json", "relations.json"}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, documents, and predictions of them."""
    folder = tmp_path_factory.mktemp("disks")
    run = fit(folder)
    here(["validate", "--run", run])
    documents = [
        one for split in ("train", "dev") for one in read_documents(made_file(folder, split))
    ]
    write_documents(folder / "documents.jsonl", documents)
    words = ["predict", run, folder / "documents.jsonl", "--output", folder / "predicted.jsonl"]
    here(words)
    return run


@pytest.mark.parametrize("kind", SAID)
def test_one_message_each(trained, figures, kind):
    folder, results = trained.parents[2], trained.parents[2] / f"{kind}.json"
    words = [sys.executable, "-m", "tests.reliability.small_disk", kind, trained, results]
    done = subprocess.run(
        ["unshare", "-rm", *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # of threads and of what ends with the process
    (folder / "disk").rmdir()
    wrong = {}
    for name, found in json.loads(results.read_text()).items():
        lines = found["told"].splitlines()
        errors = [line for line in lines if line.startswith("docre: error: ")]
        is_clear = (
            found["status"] == 1
            and not found["raised"]
            and "Traceback" not in found["told"]
            and len(errors) == 1
            and "disk/" in errors[0]
            and any(words in errors[0] for words in SAID[kind])
            and ("free some space" if kind == "full" else "choose another") in errors[0]
            and set(found["changed"]) <= CHANGED.get(name, set())
        )
        figures.add("full or read-only disks, clear messages", int(is_clear), of=1)
        # what is hidden is unfinished; what has been predicted is kept to go on from
        if not is_clear or any(Path(path).match(".*.part*") for path in found["left"]):
            wrong[name] = found
    assert not wrong, json.dumps(wrong, indent=1)
