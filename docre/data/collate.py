"""Rows of the feature table to one batch, without a Python loop over documents."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from docre.batch import Batch
from docre.data.feature_table import Rows

IntArray = NDArray[np.int64]
PairOrder = Literal["row_major", "gold_first"]


class Collate:
    """Collate function of a data loader.

    Args:
        pad_id: Token id that fills up shorter documents.
        pair_order: ``gold_first`` lists a document's labelled pairs before the others, as published
            code does in training and at test time. With attention across pairs that leaks the
            labels, so it is only for experiments about just this, and warns.
    """

    def __init__(self, pad_id: int = 0, pair_order: PairOrder = "row_major") -> None:
        if pair_order == "gold_first":
            warnings.warn(
                "pair_order='gold_first' orders pairs by their labels: scores of a model that "
                "attends across pairs are not valid",
                stacklevel=2,
            )
        self.pad_id = pad_id
        self.pair_order = pair_order

    def __call__(self, rows: Rows) -> Batch:
        """Return the batch of some rows."""
        # rows from all over the file: put together once instead of column by column
        table = rows.table.combine_chunks()
        count = table.num_rows
        ids, id_counts = _column(table, "input_ids")
        # a document without any entity still needs a row of at least one token
        width = int(id_counts.max(initial=1))
        row, column = _positions(id_counts)
        input_ids = np.full((count, width), self.pad_id, dtype=np.int64)
        input_ids[row, column] = ids
        mask = np.zeros((count, width), dtype=bool)
        mask[row, column] = True

        types, entity_counts = _column(table, "entity_type")
        entity_offset = _offset(entity_counts)
        mention_entity, mention_counts = _column(table, "mention_entity")
        mention_entity = mention_entity + np.repeat(entity_offset[:-1], mention_counts)
        sentence_start, sentence_counts = _column(table, "sentence_start")

        heads, tails, pair_doc = _pairs(table, entity_counts)
        # Every pair has one key; keys rise in row-major order, document by document.
        base = _offset(entity_counts**2)
        keys = base[pair_doc] + heads * entity_counts[pair_doc] + tails
        relation, label_counts = _column(table, "label_relation")

        def pair_of(document: IntArray, head: IntArray, tail: IntArray) -> IntArray:
            own = base[document] + head * entity_counts[document] + tail
            return np.searchsorted(keys, own).astype(np.int64)

        label_doc = np.repeat(np.arange(count), label_counts)
        label_head, label_tail = (_column(table, f"label_{end}")[0] for end in ("head", "tail"))
        label_pair = pair_of(label_doc, label_head, label_tail)
        evidence_label, evidence_counts = _column(table, "evidence_label")
        evidence_label = evidence_label + np.repeat(_offset(label_counts)[:-1], evidence_counts)
        evidence_sentence = _column(table, "evidence_sentence")[0] + np.repeat(
            _offset(sentence_counts)[:-1], evidence_counts
        )
        if rows.keep_label is not None:
            keep = rows.keep_label
            evidence_kept = keep[evidence_label]
            evidence_label = (np.cumsum(keep) - 1)[evidence_label[evidence_kept]]
            evidence_sentence = evidence_sentence[evidence_kept]
            relation, label_pair = relation[keep], label_pair[keep]
        if rows.added is not None:  # behind the others, which the evidence counts
            *where, more = rows.added
            label_pair = np.concatenate((label_pair, pair_of(*where)))
            relation = np.concatenate((relation, more))
        if self.pair_order == "gold_first":
            order = _gold_first(pair_doc, label_pair)
            heads, tails = heads[order], tails[order]
            label_pair = np.argsort(order)[label_pair]

        return Batch(
            document_ids=tuple(table.column("id").to_pylist()),
            document_index=_tensor(rows.row),
            input_ids=_tensor(input_ids),
            token_mask=_tensor(mask),
            mention_token=_tensor(_column(table, "mention_token")[0]),
            mention_end=_tensor(_column(table, "mention_end")[0]),
            mention_entity=_tensor(mention_entity),
            entity_doc=_tensor(np.repeat(np.arange(count), entity_counts)),
            entity_type=_tensor(types),
            entity_offset=_tensor(entity_offset),
            pair_head=_tensor(heads + entity_offset[pair_doc]),
            pair_tail=_tensor(tails + entity_offset[pair_doc]),
            pair_doc=_tensor(pair_doc),
            pair_offset=_tensor(_offset(np.bincount(pair_doc, minlength=count))),
            sentence_doc=_tensor(np.repeat(np.arange(count), sentence_counts)),
            sentence_start=_tensor(sentence_start),
            sentence_end=_tensor(_column(table, "sentence_end")[0]),
            labelled=_tensor(table.column("labelled").to_numpy()),
            label_pair=_tensor(label_pair),
            label_relation=_tensor(relation),
            evidence_label=_tensor(evidence_label),
            evidence_sentence=_tensor(evidence_sentence),
        )


def _column(table: pa.Table, name: str) -> tuple[IntArray, IntArray]:
    """Return the values of a list column, one after another, and how many each row has."""
    column = table.column(name)
    if not column.num_chunks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows = column.chunk(0)
    offsets = rows.offsets.to_numpy()
    values = rows.values.to_numpy()[offsets[0] : offsets[-1]]
    return values.astype(np.int64), np.diff(offsets).astype(np.int64)


def _offset(counts: IntArray) -> IntArray:
    """Return where each part begins, and the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _positions(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return row and column of every element of ragged rows."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - _offset(counts)[row]


def _pairs(table: pa.Table, entity_counts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return head and tail (counted in their document) and document of every pair, row-major."""
    typed = table.column("typed").to_numpy()
    listed_head, listed_counts = _column(table, "candidate_head")
    all_counts = entity_counts * np.maximum(entity_counts - 1, 0)
    counts = np.where(typed, listed_counts, all_counts)
    document, number = _positions(counts)
    others = np.maximum(entity_counts - 1, 1)[document]
    head, tail = np.divmod(number, others)
    tail += tail >= head  # the diagonal is left out
    listed = typed[document]
    head[listed] = listed_head
    tail[listed] = _column(table, "candidate_tail")[0]
    return head, tail, document


def _gold_first(pair_doc: IntArray, label_pair: IntArray) -> IntArray:
    """Return the order with labelled pairs first, by their first label, in every document."""
    rank = np.full(len(pair_doc), len(label_pair))
    np.minimum.at(rank, label_pair, np.arange(len(label_pair)))
    return np.lexsort((np.arange(len(pair_doc)), rank, pair_doc))


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
