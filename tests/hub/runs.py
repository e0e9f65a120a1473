"""Tiny runs to export, and folders to damage."""

import json
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from docre.data.checksums import sha256_of
from docre.opened_run import open_run
from tests.joint_tuning.test_command import JOINT, RELATION_ALONE
from tests.test_training import TINY, quietly

PAIR = TINY.replace("train_documents: 24", "train_documents: 12").replace("epochs: 3", "epochs: 1")


_RUNS = {
    "pair": (PAIR,),
    "joint": (JOINT,),
    "relations": (JOINT, RELATION_ALONE),  # takes the entities from the annotations
}
_PLACES = []  # removed when the process ends


def train(folder, name, *texts):
    """Train in a folder and return the run folder."""
    options = ["--trainer.enable_progress_bar=false"]
    for number, text in reversed([*enumerate(texts)]):
        path = folder / f"{name}{number or ''}.yaml"
        path.write_text(text)
        options = ["--config", path.name, *options]
    with chdir(folder):
        quietly("fit", *options)
    return folder / "runs" / name / "version_0"


@cache
def trained(name):
    """Return a run folder of which all tests of a process share one; nobody writes into it."""
    place = TemporaryDirectory()
    _PLACES.append(place)
    return train(Path(place.name), name, *_RUNS[name])


@cache
def batches_of(run):
    """A run opened, batches of its dev split, and what it makes of them; for all tests too."""
    with chdir(run.parents[2]):
        opened = open_run(run, arguments=["--trainer.accelerator=cpu"], kind=torch.nn.Module)
        return opened, list(opened.read("dev", lambda output, batch: (batch, output)))


def change(folder, name, edit):
    """Edit the object in a file, as someone does who can also sign it."""
    path = folder / name
    body = json.loads(path.read_text())
    edit(body)
    path.write_text(json.dumps(body))
    sign(folder, name)


def sign(folder, name):
    """Write the checksum of a file into the manifest."""
    path, manifest = folder / name, folder / "manifest.json"
    if name == "manifest.json":
        return
    body = json.loads(manifest.read_text())
    body["files"][name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
    manifest.write_text(json.dumps(body))
