"""The feature table: which columns it has, of which types, as Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pyarrow as pa

from docre.data.features import Features

# Everything that is a list of whole numbers in a row; int32 is plenty for positions and token ids.
LISTS = (
    "input_ids",
    "mention_token",
    "mention_end",
    "mention_entity",
    "entity_type",
    "sentence_start",
    "sentence_end",
    "candidate_head",
    "candidate_tail",
    "label_head",
    "label_tail",
    "label_relation",
    "evidence_label",
    "evidence_sentence",
)
_SCALARS = {
    "id": "string",
    "typed": "bool",
    "labelled": "bool",
    "num_tokens": "int32",
    "num_pairs": "int32",
    "lost_tokens": "int32",
    "lost_mentions": "int32",
}


@cache
def schema() -> pa.Schema:
    """Return the Arrow schema of the declared ``datasets.Features``.

    Types are declared, never guessed: a first document without evidence would make a guess wrong.
    """
    from datasets import Features as Declared
    from datasets import List, Value

    declared = {name: Value(dtype) for name, dtype in _SCALARS.items()}
    declared |= {name: List(Value("int32")) for name in LISTS}
    return Declared({name: declared[name] for name in Features._fields}).arrow_schema


def to_record_batch(rows: Sequence[Features]) -> pa.RecordBatch:
    """Return rows of features as one Arrow record batch."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in Features._fields]
    table = schema()
    arrays = [
        pa.array(column, type=field.type) for column, field in zip(columns, table, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=table)
