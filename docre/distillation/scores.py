"""From a run to a file of its logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from docre.batch import Batch
from docre.data.cache import file_hash
from docre.distillation.selection import row_major, strongest
from docre.distillation.store import LogitHeader, LogitWriter, write_logits
from docre.opened_run import OpenedRun
from docre.outputs import HeadOutput


class _Kept(NamedTuple):
    names: tuple[str, ...]
    pairs: tuple[int, ...]
    values: NDArray[np.float32]
    columns: NDArray[np.int64] | None


def write_scores(
    opened: OpenedRun, output: Path, top_k: int | None = None, batch_size: int | None = None
) -> LogitWriter:
    """Write what a run's model makes of the documents it was opened over.

    Args:
        opened: A run over a file of documents.
        output: File to write; it is there only when it is complete.
        top_k: Logits of a pair to keep, the threshold's among them; ``None`` for all, as where
            there are no more than that.
        batch_size: Documents of a batch; that of the run if left out.

    Returns:
        What was written: the header, and the numbers of documents and pairs.
    """
    relations = opened.model.relations
    kept = None if top_k is None or top_k > len(relations) else top_k
    features: dict[str, Any] = msgspec.to_builtins(opened.data.features)
    header = LogitHeader(
        teacher=file_hash(opened.checkpoint),
        source=file_hash(opened.data.files["predict"]),
        relations=relations,
        top_k=kept,
        features={"tokenizer": opened.data.tokenizer_name, **features},
        on_error=opened.data.corpus("predict").on_error,
    )

    def reading(made: HeadOutput, batch: Batch) -> _Kept:
        logits = made.logits.float()[row_major(batch)]
        values, columns = (logits, None) if kept is None else strongest(logits, kept)
        listed = None if columns is None else columns.cpu().numpy()
        return _Kept(batch.document_ids, batch.sizes.pairs, values.cpu().numpy(), listed)

    with write_logits(output, header) as file:
        for names, pairs, values, columns in opened.read("predict", reading, batch_size):
            end = 0
            for name, count in zip(names, pairs, strict=True):
                here = slice(end, end := end + count)
                file.add(name, values[here], None if columns is None else columns[here])
    return file
