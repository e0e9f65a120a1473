"""Documents with labels that nobody gave by hand, for the first of two stages."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from study.origin import is_made, remember
from study.places import DATA, RUNS
from study.prepare import write_json

TEACHER = RUNS / "main" / "atlop_x2" / "seed_66"
PRETRAINING = DATA / "redocred" / "pretrain_1445.json"


def label(limit: int | None = None) -> None:
    """Write documents with the labels of a teacher, and 446 with incomplete human ones.

    Args:
        limit: Label only so many documents; for trying out.

    Raises:
        SystemExit: If the teacher has not been trained.
    """
    if is_made(PRETRAINING, TEACHER):
        return
    if not (TEACHER / "scores" / "test.json").exists():
        raise SystemExit(f"no teacher in {TEACHER}; train it first: make results ROW=main/atlop_x2")
    folder = PRETRAINING.parent
    documents = json.loads((folder / "unlabelled_999.json").read_text())[:limit]
    plain, found = folder / "unlabelled.json", folder / "unlabelled.predicted.json"
    write_json(plain, documents)
    words = ["predict", str(TEACHER), str(plain), "--output", str(found)]
    subprocess.run([sys.executable, "-m", "docre", *words], check=True)
    documents = with_labels(documents, json.loads(found.read_text()))
    write_json(PRETRAINING, [*documents, *json.loads((folder / "pretrain_446.json").read_text())])
    remember(PRETRAINING, TEACHER)


def with_labels(
    documents: list[dict[str, Any]], predictions: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return documents with predictions, as in ``result.json``, for labels."""
    labels: dict[str, list[dict[str, Any]]] = {document["title"]: [] for document in documents}
    for triple in predictions:
        made = {"h": triple["h_idx"], "t": triple["t_idx"], "r": triple["r"], "evidence": []}
        labels[triple["title"]].append(made)
    return [{**document, "labels": labels[document["title"]]} for document in documents]
