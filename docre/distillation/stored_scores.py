"""A teacher that was asked beforehand."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from docre.batch import Batch
from docre.data.cache import file_hash
from docre.distillation.selection import places, row_major
from docre.distillation.store import LogitFile
from docre.distillation.teacher import Teacher
from docre.errors import DocreError
from docre.outputs import TeacherTargets

_log = logging.getLogger(__name__)


class StoredScores(Teacher):
    """Reads the logits of a batch from a file of ``docre distil``.

    Args:
        path: The file; it has all documents of the training and is mapped into memory.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @cached_property
    def file(self) -> LogitFile:
        """The file, opened when it is first asked for."""
        return LogitFile(self.path)

    def prepare(
        self,
        relations: Sequence[str],
        tokenizer: str | None = None,
        features: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the file and check its relations; the tokenizer may be another.

        Documents are found by their ids. Where the file they were read from, or what was done with
        wrong ones, is known to be another, that is said in the log.

        Raises:
            DocreError: If it cannot be read, or its columns are those of other relations.
        """
        theirs = self.file.header.relations
        if theirs != tuple(relations):
            raise DocreError(
                f"model.teacher: {self.path} has logits of {len(theirs)} relations, the data have "
                f"{len(relations)}, or they are in another order"
            )
        self._compare_documents(features or {})

    def targets(self, batch: Batch) -> TeacherTargets:
        """Return the logits of the batch in single precision, in its order of pairs.

        Raises:
            DocreError: If a document is not in the file or has another number of pairs there.
        """
        header = self.file.header
        on_gpu = batch.device.type == "cuda"
        shape = batch.num_pairs, header.width
        # page-locked memory can be copied while the host goes on
        values = torch.empty(shape, dtype=torch.float16, pin_memory=on_gpu)
        wide = len(header.relations) > 255  # torch computes little with 16 bits without a sign
        kind = torch.int32 if wide else torch.uint8
        columns = (
            None if header.top_k is None else torch.empty(shape, dtype=kind, pin_memory=on_gpu)
        )
        self._gather(batch, values.numpy(), None if columns is None else columns.numpy())
        place = places(row_major(batch))

        def ordered(rows: Tensor) -> Tensor:
            return rows.to(batch.device, non_blocking=True)[place]

        listed = None if columns is None else ordered(columns).long()
        return TeacherTargets(ordered(values).float(), listed)

    def describe(self) -> dict[str, Any]:
        """Return the file and what it says about itself."""
        header = self.file.header
        return {
            "kind": type(self).__name__,
            "file": str(self.path),
            "teacher": header.teacher,
            "source": header.source,
            "top_k": header.top_k,
        }

    def _compare_documents(self, features: Mapping[str, Any]) -> None:
        header = self.file.header
        documents, on_error = features.get("documents"), features.get("on_error")
        ours = header.source if documents is None else file_hash(Path(documents))
        if ours != header.source:
            _log.warning(
                "model.teacher: %s has the logits of another file (checksum %s) than %s (%s)",
                self.path,
                header.source,
                documents,
                ours,
            )
        # what was read with fail has nothing wrong in it, and is the same in all other ways
        if len({on_error, header.on_error} - {None, "fail"}) == 2:
            _log.warning(
                "model.teacher: %s was made with on_error %s, the data are read with %s",
                self.path,
                header.on_error,
                on_error,
            )

    def _gather(
        self, batch: Batch, values: np.ndarray[Any, Any], columns: np.ndarray[Any, Any] | None
    ) -> None:
        """Copy the rows of the batch's documents, one document after another."""
        start = 0
        for name, count in zip(batch.document_ids, batch.sizes.pairs, strict=True):
            if self.file.num_pairs(name) != count:
                raise DocreError(
                    f"document {name!r} has {count} pairs, {self.path} has logits of "
                    f"{self.file.num_pairs(name)}: it was made from other documents"
                )
            found, listed = self.file.rows(name)
            values[start : start + count] = found
            if columns is not None:
                columns[start : start + count] = listed
            start += count
