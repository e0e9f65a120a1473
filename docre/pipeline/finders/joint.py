"""A joint model as finder of entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from docre.documents import Document
from docre.errors import DataError, DocreError
from docre.hub.contents import ModelContents
from docre.joint_model import JointModel
from docre.pipeline.batch_reader import BatchReader


class JointFinder:
    """Finds entities with a trained joint model; relations it finds are left out.

    Args:
        contents: The model: one with heads of mentions and coreference.
        device: Where it runs.

    Raises:
        DocreError: If the model finds no entities.
    """

    def __init__(self, contents: ModelContents, device: torch.device) -> None:
        model = contents.model
        if not isinstance(model, JointModel) or not {"mention", "coreference"} & {*model.levels}:
            raise DocreError(
                f"finder: {contents.source} finds no entities; it has to be a joint model with "
                "heads of mentions and coreference"
            )
        self.read = BatchReader(contents, device)
        self.digest = contents.digest

    def find(self, documents: Sequence[Document]) -> list[Document]:
        """Return the documents with the entities that were found in them.

        Raises:
            DataError: With the documents that cannot be read.
        """
        read = self.read(documents)
        problems = [p for one in read if isinstance(one, DataError) for p in one.problems]
        if problems:
            raise DataError(problems)
        found = (one for one in read if isinstance(one, Document))
        return [
            replace(one, relations=asked.relations)
            for one, asked in zip(found, documents, strict=True)
        ]
