"""Which pair of a document stands for it, and how its attention falls on the words."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docre.batch import Batch
from docre.dashboard.word_places import word_places
from docre.documents import Document, Relation
from docre.outputs import HeadOutput

if TYPE_CHECKING:
    from docre.data.pieces import Pieces

Floats = NDArray[np.float64]


class AttendedPair(NamedTuple):
    """A pair and how its attention falls on the words of its document.

    Args:
        head: Index of the head entity.
        tail: Index of the tail entity.
        relation: What it is labelled with, by its name.
        weights: Of each word, in order; words that were cut off are missing.
        elsewhere: What falls on markers and special tokens.
    """

    head: int
    tail: int
    relation: str
    weights: Floats
    elsewhere: float


def shown_label(document: Document, pairs: Container[tuple[int, int]]) -> Relation | None:
    """Return the label whose pair stands for a document.

    It depends on nothing that a model says, so that epochs and models can be compared.

    Args:
        document: The document.
        pairs: Those that are asked for, as indices of entities.

    Returns:
        The first label with evidence, else the first one; ``None`` if no such pair is labelled.
    """
    labels = [one for one in document.relations or () if (one.head, one.tail) in pairs]
    return min(labels, key=lambda label: not label.evidence, default=None)


def attended_pair(
    document: Document, batch: Batch, output: HeadOutput, row: int, pieces: Pieces
) -> AttendedPair | None:
    """Return the pair of a document to draw, ``None`` if it or its attention cannot be had.

    Args:
        document: The document.
        batch: The batch it is in.
        output: What the head makes of it.
        row: Which document of the batch it is.
        pieces: The tokenizer.
    """
    attention = None if output.context is None else output.context.attention
    if attention is None:
        return None
    first, last = batch.pair_offset[row : row + 2].tolist()
    base = int(batch.entity_offset[row])
    ends = ((ends[first:last] - base).tolist() for ends in (batch.pair_head, batch.pair_tail))
    places = {pair: first + number for number, pair in enumerate(zip(*ends, strict=True))}
    label = shown_label(document, places)
    if label is None:
        return None
    chosen = batch.pair_head.new_tensor([places[label.head, label.tail]])
    weights = attention.of(chosen)[0].detach().cpu().double().numpy()  # [T]
    words = [word for sentence in document.sentences for word in sentence]
    ids = batch.input_ids[row, : batch.sizes.tokens[row]].tolist()
    spans = word_places(ids, words, pieces.of_words(words))
    if spans is None:
        return None
    of_words = np.array([weights[start:end].sum() for start, end in spans])
    elsewhere = float(weights.sum() - of_words.sum())
    return AttendedPair(label.head, label.tail, label.relation, of_words, elsewhere)
