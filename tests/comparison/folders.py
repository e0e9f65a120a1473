"""Run folders written by hand: what ``docre fit`` and ``docre test`` leave behind, without them."""

from __future__ import annotations

import copy
import json
from random import Random

import yaml

from docre.comparison.document_counts import write_counts
from docre.documents import Relation
from docre.scoring import Facts, Gold, Prediction, score, score_joint
from tests.toy import RELATIONS, document

DOCUMENTS = [document(seed, entities=5) for seed in range(40)]
FACTS = Facts.from_documents(DOCUMENTS[:6], "train.json")
CONFIG = {
    "seed_everything": 1,
    "trainer": {"max_epochs": 3, "logger": {"init_args": {"name": "any", "version": 0}}},
    "model_class": "docre.model.DocREModel",
    "model": {
        "head": {
            "class_path": "docre.heads.PairHead",
            "init_args": {
                "memory": {
                    "class_path": "docre.memory.TokenTuringReader",
                    "init_args": {"slots": 200, "layers": 2},
                },
                "width": 16,
            },
        },
        "rates": {"encoder": {"lr": 1e-05}, "head": {"lr": 0.0001}},
    },
    "data": {
        "class_path": "docre.data.modules.DocREDFiles",
        "init_args": {"train": "train.json", "data_dir": "data", "noise": None},
    },
    "select_on": "f1",
    "checkpoint": {"mode": "max"},
}


def scores_of(quality, seed, documents=DOCUMENTS, facts=(FACTS,)):
    """Return scores of triples that are right with a chance of ``quality``."""
    random = Random(f"{quality} {seed}")
    predictions = []
    for one in documents:
        for label in one.relations:
            right = random.random() < quality
            relation = label.relation if right else random.choice(RELATIONS.names)
            if right or random.random() < 0.8:
                predictions.append(Prediction(one.id, label.head, label.tail, relation, ()))
    return score(predictions, Gold.compile(documents, facts))


def joint_scores_of(quality, seed, documents=DOCUMENTS):
    """Return scores of joint extraction; entities and triples are left out by chance."""
    from dataclasses import replace

    random = Random(f"{quality} {seed}")
    predicted = []
    for one in documents:
        kept = [number for number in range(len(one.entities)) if random.random() < quality]
        relations = [
            Relation(kept.index(r.head), kept.index(r.tail), r.relation)
            for r in one.relations
            if r.head in kept and r.tail in kept
        ]
        entities = tuple(one.entities[number] for number in kept)
        predicted.append(replace(one, entities=entities, relations=tuple(relations)))
    return score_joint(documents, predicted)


def config_of(**changes):
    """Return a configuration with some options changed, ``__`` between the parts of their names."""
    config = copy.deepcopy(CONFIG)
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = config
        for parent in parents:
            place = place[parent] if parent in place else place["init_args"][parent]
        place = place if last in place or "init_args" not in place else place["init_args"]
        place[last] = value
    return config


def write_run(
    folder,
    seed=1,
    config=None,
    scores=None,
    split="test",
    checksum="aaaa",
    train="tttt",
    counts=True,
    time="2026-01-01T00:00:00+00:00",
    **record,
):
    """Write a run folder, with a score file if there are scores; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**(config or CONFIG), "seed_everything": seed}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    data = {
        name: {"file": f"data/{name}.json", "xxh3_128": sum_}
        for name, sum_ in {"train": train, "dev": "dddd", split: checksum}.items()
    }
    about = {
        "time": time,
        "seed": seed,
        "data": data,
        "versions": {"docre": "1.0", "torch": "2.0"},
        "git": {"docre": {"commit": "c" * 40, "changed": False}},
        "devices": {"number": 1, "kind": "cpu"},
        **record,
    }
    (folder / "run.json").write_text(json.dumps(about))
    if scores is not None:
        write_scores(folder, scores, split, checksum, counts)
    return folder


def write_scores(folder, scores, split="test", checksum="aaaa", counts=True, **more):
    """Write a score file, and the counts by document beside it."""
    import msgspec

    path = folder / "scores" / f"{split}.json"
    path.parent.mkdir(exist_ok=True)
    data = {split: {"file": f"data/{split}.json", "xxh3_128": checksum}}
    checkpoint = {"file": str(folder / "checkpoints" / "best.ckpt")}
    body = {"data": data, "split": split, "checkpoint": checkpoint, **scores.to_record(), **more}
    path.write_bytes(msgspec.json.encode(body))
    if counts:
        write_counts(path, scores)


def write_log(folder, curves, start=0.0, step=10.0):
    """Write an event file: curves by name, as lists of (step, value)."""
    from torch.utils.tensorboard import SummaryWriter

    folder.mkdir(parents=True, exist_ok=True)
    with SummaryWriter(str(folder)) as writer:
        for name, points in curves.items():
            for number, (at, value) in enumerate(points):
                writer.add_scalar(name, value, at, walltime=start + number * step)
