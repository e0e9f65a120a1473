"""Commands on a disk that is full or read-only.

Run as ``unshare -rm python -m tests.reliability.small_disk full|read-only RUN RESULTS`` in an empty
folder: what is mounted there is seen by this process alone. The results are JSON, by command.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from docre.cli import main
from tests.reliability.kills import whole

DISK = Path("disk")
BALLAST = DISK / "ballast"
FREE = 12_000  # bytes: enough to begin with most things
# enough for everything but a checkpoint, and less than some commands write
OTHERWISE = {"go on training": 150_000, "validate": 0, "compare": 0, "convert": 0}


def commands(run, config, documents, predicted):
    """Return commands by name, each of which writes to the disk."""
    shown = DISK / "runs/tiny/version_0"
    fit = ["fit", "--config", config, "--trainer.max_epochs=1"]
    runs = f"--trainer.logger.init_args.save_dir={DISK / 'new'}"
    cache = f"--data.init_args.reading.cache_dir={DISK / 'cache'}"
    return {
        "train": [*fit, runs],
        "go on training": ["fit", "--resume", shown, "--trainer.max_epochs=3"],
        "cache": [*fit, cache, "--trainer.logger.init_args.save_dir=elsewhere"],
        "synthetic corpus": ["data", "synth", DISK / "corpus"],
        "convert": ["data", "convert", documents, DISK / "out.json", "--to", "docred"],
        "predict": ["predict", run, documents, "--output", DISK / "out.jsonl"],
        "predict a page": ["predict", run, documents, "--output", DISK / "out.html"],
        "predict with a trainer": [
            *["predict", "--run", run, "--documents", documents, "--output", DISK / "two.jsonl"]
        ],
        "distil": [
            *["distil", "--run", run, "--documents", documents, "--output", DISK / "s.arrow"]
        ],
        "score": ["score", predicted, documents, "--bootstrap=400", f"--output={DISK / 's.json'}"],
        "report": ["report", predicted, "--gold", documents, "--output", DISK / "page.html"],
        "export": ["export", run, DISK / "exported"],
        "validate": ["validate", "--run", shown],
        "calibrate": ["calibrate", "--run", shown],
        "compare": ["compare", run, "--split=dev", "--markdown", DISK / "compared.md"],
    }


def mount(*options):
    """Mount the disk, or mount it in another way."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", DISK], check=True)


def fill(free):
    """Leave so many bytes."""
    BALLAST.unlink(missing_ok=True)
    there = os.statvfs(DISK)
    with BALLAST.open("wb") as file:
        file.write(bytes(max(0, there.f_bavail * there.f_frsize - free)))


def listed():
    """Return all files of the disk."""
    return {path for path in DISK.rglob("*") if path.is_file() and path != BALLAST}


def done(words):
    """Run a command, and return what it said and how it ended."""
    said, told = io.StringIO(), io.StringIO()
    status, raised = None, ""
    with redirect_stderr(told), redirect_stdout(said):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            status = ended.code
        except BaseException:
            raised = traceback.format_exc()
    return {"status": status, "raised": raised, "said": said.getvalue(), "told": told.getvalue()}


def run_all(kind, run, results):
    """Run the commands and write down what each has done."""
    here = Path.cwd()
    config = here / "tiny.yaml"
    documents, predicted = here / "documents.jsonl", here / "predicted.jsonl"
    DISK.mkdir()
    mount("size=24m")
    shutil.copytree(run, DISK / "runs/tiny/version_0")
    kept = {path: path.read_bytes() for path in listed()}
    if kind == "read-only":
        mount("remount", "ro")
    found = {}
    for name, words in commands(run, config, documents, predicted).items():
        if kind == "full":
            fill(OTHERWISE.get(name, FREE))
        found[name] = done(words)
        found[name]["left"] = sorted(map(str, listed() - kept.keys()))
        changed = {path.name for path, data in kept.items() if path.read_bytes() != data}
        found[name]["changed"] = sorted(changed)
        whole(DISK)
        for path, data in kept.items():
            if path.name in changed:
                path.write_bytes(data)
        if kind == "full":
            for path in listed() - kept.keys():
                path.unlink()
        Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    run_all(*sys.argv[1:])
