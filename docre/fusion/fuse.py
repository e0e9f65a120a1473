"""Two readings of a document put together."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from docre.documents import Document
from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.triples import PredictedTriple

Key = tuple[str, int, int, str]

# What a triple loses that only one of the two readings has proposed.
UNCONFIRMED = 10.0


@dataclass(frozen=True, slots=True)
class Fused:
    """What both readings say together.

    The margin of a triple is its fused score; its own logit is that of the whole document, if it
    was proposed there. Its evidence is that of its pair in the whole document.

    Args:
        accepted: Triples above the threshold of their pair in both readings: kept, whatever the
            tuned threshold is.
        undecided: All others that were proposed in either reading.
    """

    accepted: tuple[PredictedTriple, ...]
    undecided: tuple[PredictedTriple, ...]


def fuse(full: Iterable[PredictedTriple], pseudo: Iterable[PredictedTriple]) -> Fused:
    """Put the readings of whole documents and of their pseudo documents together.

    Of repeated triples the largest margin counts. A triple that both readings proposed scores the
    sum of its margins, one that only one of them proposed its margin - 10.

    Args:
        full: Candidates of whole documents.
        pseudo: Candidates of pseudo documents, restored to their parents; read once, in any order.
    """
    whole, parts = best(full), best(pseudo)
    evidence = {triple[:3]: triple.evidence for triple in whole.values()}
    accepted: list[PredictedTriple] = []
    undecided: list[PredictedTriple] = []
    for key in {**whole, **parts}:
        one, other = whole.get(key), parts.get(key)
        if one is not None and other is not None:
            sure = one.margin > 0 and other.margin > 0
            (accepted if sure else undecided).append(one._replace(margin=one.margin + other.margin))
        elif one is not None:
            undecided.append(one._replace(margin=one.margin - UNCONFIRMED))
        elif other is not None:
            sentences = evidence.get(other[:3], other.evidence)
            undecided.append(other._replace(margin=other.margin - UNCONFIRMED, evidence=sentences))
    return Fused(tuple(accepted), tuple(undecided))


def best(triples: Iterable[PredictedTriple]) -> dict[Key, PredictedTriple]:
    """Return the triple with the largest margin of each document, head, tail and relation."""
    found: dict[Key, PredictedTriple] = {}
    for triple in triples:
        key = triple[:4]
        if key not in found or triple.margin > found[key].margin:
            found[key] = triple
    return found


def keep(fused: Fused, threshold: float) -> list[PredictedTriple]:
    """Return the accepted triples and the undecided ones that reach the threshold.

    Published code, where it knows the labels, also drops correct triples that rank below the lowest
    incorrect one it keeps; here labels play no part.
    """
    return [*fused.accepted, *(one for one in fused.undecided if one.margin >= threshold)]


def tune_threshold(fused: Fused, documents: Iterable[Document]) -> float:
    """Return the threshold with the best F1; of several, the one that keeps least.

    Triples of equal score are kept or left together, so that :func:`keep` gives just what was
    counted here. A threshold that keeps no undecided triple lies right above the highest of them;
    without any the threshold is 0.

    Args:
        fused: What was read in the documents.
        documents: The documents; those without labels play no part.

    Raises:
        DocreError: If they have no labelled triple at all: every F1 would be 0.
    """
    labels = {
        one.id: {(label.head, label.tail, label.relation) for label in one.relations}
        for one in documents
        if one.relations is not None
    }
    gold = sum(map(len, labels.values()))
    if not gold:
        raise DocreError(
            "the threshold of the fusion is tuned on labels, and the documents have none; give a "
            "threshold"
        )
    accepted = [
        triple[1:4] in labels[triple.document]
        for triple in fused.accepted
        if triple.document in labels
    ]
    judged = [triple for triple in fused.undecided if triple.document in labels]
    if not judged:
        return 0.0
    judged.sort(key=lambda triple: -triple.margin)
    margins = np.array([triple.margin for triple in judged])
    correct = [triple[1:4] in labels[triple.document] for triple in judged]
    # all cuts: after none of the undecided, after the first, ... after the last
    hits = sum(accepted) + np.concatenate([[0], np.cumsum(correct)])
    f1 = 2 * hits / (len(accepted) + np.arange(len(hits)) + gold)
    splits_equals = np.concatenate([[False], margins[1:] == margins[:-1], [False]])
    f1[splits_equals] = -1
    cut = int(f1.argmax())
    return float(margins[cut - 1]) if cut else math.nextafter(float(margins[0]), math.inf)
