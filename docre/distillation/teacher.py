"""Teachers: what says, for the pairs of a batch, what another model makes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from docre.batch import Batch
from docre.outputs import TeacherTargets


class Teacher(ABC):
    """Says what another model makes of the pairs of a batch."""

    @abstractmethod
    def prepare(
        self,
        relations: Sequence[str],
        tokenizer: str | None = None,
        features: Mapping[str, Any] | None = None,
    ) -> None:
        """Check, before training, that teacher and student belong together.

        Args:
            relations: Names in the order of the student's columns, without the threshold.
            tokenizer: Name of the tokenizer that the batches are made with, if it is known.
            features: How the batches were made, if it is known: the settings of
                :class:`docre.data.features.FeatureSettings`, and where the documents are from,
                ``documents`` (the file of the training) and ``on_error`` (how it was read).
        """

    @abstractmethod
    def targets(self, batch: Batch) -> TeacherTargets:
        """Return what the teacher says about the pairs of a batch."""

    def describe(self) -> dict[str, Any]:
        """Return what the record of a run says about the teacher."""
        return {}


TeacherFactory = Callable[[], Teacher]
