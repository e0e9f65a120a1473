"""Rows and their columns: what is made of a document for a model, as Arrow.

Pair models read one kind of rows (:data:`PAIR_ROWS`), other models have kinds of their own; all go
through the same preprocessing and the same cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, get_type_hints

import pyarrow as pa

from docre.data.features import Features
from docre.data.pieces import Pieces
from docre.data.relations import RelationSet
from docre.documents import Document

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# int32 is plenty for positions and token ids
_DTYPES = {str: "string", bool: "bool", int: "int32"}


class RowMaker(Protocol):
    """Turns documents into rows; :class:`docre.data.features.Featurizer` is one."""

    @property
    def pieces(self) -> Pieces:
        """The tokenizer."""

    @property
    def relations(self) -> RelationSet:
        """Relations in their fixed order."""

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types in their fixed order."""

    @property
    def settings(self) -> DataclassInstance:
        """Whatever else decides the rows."""

    def __call__(self, documents: Sequence[Document]) -> Sequence[tuple[Any, ...]]:
        """Return the rows of some documents, in their order."""


@dataclass(frozen=True, slots=True)
class RowKind:
    """A kind of rows. Everything here is at the top of a module: worker processes look it up.

    Args:
        row: The named tuple that a row is. Its fields are strings, truth values, whole numbers and
            lists of these, and among them are ``id``, ``labelled``, ``label_relation``,
            ``num_tokens`` and ``num_pairs``.
        code: Modules that make such rows; their source is part of the cache key.
        losses: Counts what a batch of rows does not show as it is in the documents.
        losses_said: What the log says of the sums of these counts, nothing if nothing is lost.
    """

    row: type[tuple[Any, ...]]
    code: tuple[str, ...]
    losses: Callable[[pa.RecordBatch], Mapping[str, int]]
    losses_said: Callable[[Mapping[str, int]], str]


def _cut(rows: pa.RecordBatch) -> Mapping[str, int]:
    tokens = rows.column("lost_tokens").to_numpy()
    return {
        "cut_documents": int((tokens > 0).sum()),
        "lost_tokens": int(tokens.sum()),
        "lost_mentions": int(rows.column("lost_mentions").to_numpy().sum()),
    }


def _cut_said(lost: Mapping[str, int]) -> str:
    if not lost["lost_tokens"]:
        return ""
    return (
        f"{lost['cut_documents']} documents were cut, {lost['lost_tokens']} tokens and "
        f"{lost['lost_mentions']} mentions are lost"
    )


PAIR_ROWS = RowKind(
    Features,
    (
        "docre.data.features",
        "docre.data.layout",
        "docre.data.markers",
        "docre.data.published_alignment",
    ),
    _cut,
    _cut_said,
)


@cache
def schema(kind: RowKind = PAIR_ROWS) -> pa.Schema:
    """Return the Arrow schema of the declared ``datasets.Features``.

    Types are declared, never guessed: a first document without evidence would make a guess wrong.
    """
    from datasets import Features as Declared
    from datasets import List, Value

    declared = {}
    for name, hint in get_type_hints(kind.row).items():
        inner = hint.__args__[0] if hasattr(hint, "__args__") else hint
        value = Value(_DTYPES[inner])
        declared[name] = value if inner is hint else List(value)
    return Declared(declared).arrow_schema


def to_record_batch(rows: Sequence[tuple[Any, ...]], kind: RowKind = PAIR_ROWS) -> pa.RecordBatch:
    """Return rows as one Arrow record batch."""
    table = schema(kind)
    columns = zip(*rows, strict=True) if rows else [[] for _ in table]
    arrays = [
        pa.array(column, type=field.type) for column, field in zip(columns, table, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=table)
