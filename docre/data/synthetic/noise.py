"""Label noise of known amount: missing labels, wrong labels, distant labels.

A document with noise keeps the truth in ``extra["clean"]`` as ``[head, tail, relation, evidence]``;
:func:`clean_labels` reads it back, from a file as well.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from docre.data.synthetic.config import SyntheticConfig
from docre.data.synthetic.relations import SIGNATURES, Support, Triple, close
from docre.data.synthetic.things import Fact, pick
from docre.documents import Document, Relation

CLEAN = "clean"


def add_noise(
    rng: random.Random,
    config: SyntheticConfig,
    clean: Sequence[Relation],
    types: Sequence[str],
    facts: Sequence[Fact],
) -> list[Relation]:
    """Return noisy labels.

    Args:
        rng: Source of chance of this document, apart from that of its text.
        config: The noise settings.
        clean: The true labels.
        types: Type of each entity.
        facts: What the world knows about the entities of the document, with their numbers there.
    """
    labels = list(clean)
    if config.distant:
        known: dict[Triple, Support] = {
            fact[:3]: () for fact in facts if rng.random() >= config.kb_missing
        }
        labels = [Relation(head, tail, relation) for relation, head, tail in close(known)]
    if config.unlabelled_fraction:
        labels = [label for label in labels if rng.random() >= config.unlabelled_fraction]
    if config.wrong_fraction:
        wanted = config.wrong_fraction * len(clean)
        taken = {(label.relation, label.head, label.tail) for label in (*clean, *labels)}
        for _ in range(int(wanted) + (rng.random() < wanted % 1)):
            wrong = _wrong(rng, clean, types, taken)
            if wrong is not None:
                relation, head, tail = wrong
                taken.add(wrong)
                evidence = None if config.distant else ()
                labels.append(Relation(head, tail, relation, evidence))
    return sorted(labels, key=lambda label: (label.head, label.tail, label.relation))


def _wrong(
    rng: random.Random, clean: Sequence[Relation], types: Sequence[str], taken: set[Triple]
) -> Triple | None:
    """Return another relation for a related pair, or a relation of the text for another pair."""
    for _ in range(30):
        label = pick(rng, clean)
        if rng.random() < 0.5:
            kinds = (types[label.head], types[label.tail])
            fitting = [name for name, allowed in SIGNATURES.items() if kinds in allowed]
            triple = (pick(rng, fitting), label.head, label.tail)
        else:
            kinds = pick(rng, SIGNATURES[label.relation])
            heads = [e for e, kind in enumerate(types) if kind == kinds[0]]
            tails = [e for e, kind in enumerate(types) if kind == kinds[1]]
            if not heads or not tails:
                continue
            triple = (label.relation, pick(rng, heads), pick(rng, tails))
        if triple not in taken and triple[1] != triple[2]:
            return triple
    return None


def pack(labels: Sequence[Relation]) -> list[list[Any]]:
    """Return labels as plain JSON values."""
    return [
        [label.head, label.tail, label.relation, list(label.evidence or ())] for label in labels
    ]


def clean_labels(document: Document) -> tuple[Relation, ...]:
    """Return what the text of a synthetic document states, whatever it is labelled with."""
    if CLEAN not in document.extra:
        return document.relations or ()
    return tuple(
        Relation(head, tail, relation, tuple(evidence))
        for head, tail, relation, evidence in document.extra[CLEAN]
    )
