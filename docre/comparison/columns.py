"""Which scores a comparison shows, and what they are called."""

from __future__ import annotations

_TRIPLES = {
    "f1": "F1",
    "ign_f1": "Ign F1",
    "precision": "P",
    "recall": "R",
    "intra/f1": "intra F1",
    "inter/f1": "inter F1",
    "evidence_f1": "evidence F1",
}
_JOINT = {
    "relation_strict_f1": "strict F1",
    "relation_strict_precision": "strict P",
    "relation_strict_recall": "strict R",
    "relation_relaxed_f1": "relaxed F1",
    "entity_f1": "entity F1",
    "coreference_f1": "coreference F1",
    "mention_f1": "mention F1",
}
# Those whose differences are shown; precision and recall only trade against each other.
_COMPARED = {
    "triples": ("f1", "ign_f1"),
    "joint": ("relation_strict_f1", "entity_f1", "coreference_f1", "mention_f1"),
}


def headings(task: str) -> dict[str, str]:
    """Return the scores of a task with their headings, the one people look at first in front."""
    return _TRIPLES if task == "triples" else _JOINT


def compared(task: str) -> tuple[str, ...]:
    """Return the scores whose differences are shown."""
    return _COMPARED[task]
