"""Rows of joint models, taken apart again: texts, words and what is true of each document."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from docre.batch import Batch
from docre.data.feature_table import Rows
from docre.joint.edit_distance import edit_distances, phrases_of_words
from docre.joint.samples import JointTruth

IntArray = NDArray[np.int64]
_TRUTH = (
    "sentence_words",
    "word_token",
    "mention_start",
    "mention_end",
    "mention_entity",
    "entity_type",
    "label_head",
    "label_tail",
    "label_relation",
)


def texts_of(rows: Rows, pad_id: int) -> Batch:
    """Return the tokens of rows as a batch that has nothing but texts."""
    ids = _lists(rows.table, "input_ids")
    # a document without any word still needs a row of at least one token
    width = max(1, *map(len, ids)) if ids else 1
    input_ids = np.full((len(ids), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=bool)
    for row, tokens in enumerate(ids):
        input_ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
    return Batch.of_texts(
        tuple(rows.table.column("id").to_pylist()),
        torch.from_numpy(np.ascontiguousarray(rows.row)),
        torch.from_numpy(input_ids),
        torch.from_numpy(mask),
        torch.from_numpy(rows.table.column("labelled").to_numpy()),
    )


def words_of(rows: Rows) -> tuple[tuple[str, ...], ...]:
    """Return the words of each document."""
    return tuple(map(tuple, rows.table.column("words").to_pylist()))


def truths_of(rows: Rows, words: tuple[tuple[str, ...], ...]) -> list[JointTruth]:
    """Return the annotations of each document; hidden labels are left out, added ones are there.

    A document that was never labelled has no labels, and such entities as it came with.

    Args:
        rows: The documents.
        words: Their words.
    """
    columns = {name: _lists(rows.table, name) for name in _TRUTH}
    if rows.keep_label is not None:
        cuts = np.cumsum([len(labels) for labels in columns["label_head"]])[:-1]
        seen = np.split(rows.keep_label, cuts)
        for name in ("label_head", "label_tail", "label_relation"):
            columns[name] = [one[keep] for one, keep in zip(columns[name], seen, strict=True)]
    if rows.added is not None:
        cuts = np.searchsorted(rows.added.document, np.arange(1, rows.table.num_rows))
        for name in ("head", "tail", "relation"):
            own, more = columns[f"label_{name}"], np.split(getattr(rows.added, name), cuts)
            columns[f"label_{name}"] = [
                np.concatenate(both) for both in zip(own, more, strict=True)
            ]
    truths = []
    for row, name in enumerate(rows.table.column("id").to_pylist()):
        of = {key: values[row] for key, values in columns.items()}
        spans = zip(of["mention_start"].tolist(), of["mention_end"].tolist(), strict=True)
        distances = edit_distances(phrases_of_words(words[row], spans))
        offset = of.pop("word_token")
        truths.append(JointTruth(name, token_offset=offset, edit_distance=distances, **of))
    return truths


def _lists(table: pa.Table, name: str) -> list[IntArray]:
    """Return a column of lists of whole numbers, one array a row."""
    found: list[IntArray] = []
    for chunk in table.column(name).chunks:
        offsets = chunk.offsets.to_numpy()
        values: NDArray[Any] = chunk.values.to_numpy()
        found += [values[a:b].astype(np.int64) for a, b in pairwise(offsets)]
    return found
