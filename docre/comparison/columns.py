"""Which scores a comparison shows, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from docre.errors import DocreError

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
_DRAWN = ("f1", "ign_f1", "relation_strict_f1", "entity_f1")
# Columns that are no scores; papers have them only if they are asked for.
BESIDE = ("runs", "time")
_RATE = re.compile(r"(.*[/_])?(f1|precision|recall)(/.+)?")
_ENDINGS = {"f1": "F1", "precision": "P", "recall": "R"}


def headings(task: str, chosen: Sequence[str] = ()) -> dict[str, str]:
    """Return scores with their headings, the one people look at first in front.

    Args:
        task: ``triples`` or ``joint``.
        chosen: The scores to show; those that are usual for the task if left out.

    Example:
        >>> headings("triples", ["macro_f1", "relation/born_in/f1"])
        {'macro_f1': 'macro F1', 'relation/born_in/f1': 'relation born_in F1'}
    """
    usual = _TRIPLES if task == "triples" else _JOINT
    scores = [name for name in chosen if name not in BESIDE]
    return {name: usual.get(name) or _heading(name) for name in scores} if scores else usual


def compared(task: str, chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the scores whose differences are shown."""
    return tuple(name for name in chosen if name not in BESIDE) or _COMPARED[task]


def drawn(chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the scores that pictures show, if a run has them."""
    return tuple(name for name in chosen if name not in BESIDE) or _DRAWN


def check_scores(chosen: Sequence[str], known: Iterable[str]) -> None:
    """Refuse scores that no run has.

    Args:
        chosen: What was asked for.
        known: Everything that stands in score files.

    Raises:
        DocreError: If there is no such score, or it is a count.
    """
    rates = {*filter(_RATE.fullmatch, known), *BESIDE}
    for name in chosen:
        if name not in rates:
            near = get_close_matches(name, rates, 4, 0.4)
            more = f"; near it: {', '.join(sorted(near))}" if near else ""
            raise DocreError(f"--scores {name} is no F1, precision or recall of these runs{more}")
    twice = sorted({name for name in chosen if list(chosen).count(name) > 1})
    if twice:
        raise DocreError(f"--scores: {', '.join(twice)} is there twice")


def _heading(name: str) -> str:
    words = name.replace("/", " ")
    end = re.search(r"(?:^|[ _])(f1|precision|recall)$", words)
    return words if end is None else f"{words[: end.start()]} {_ENDINGS[end[1]]}".strip()
