"""The development split of a joint run, and the questions that are asked about its documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from docre.documents import Document
from docre.errors import DocreError
from docre.joint.batch import JointBatch
from docre.joint.extracted import Extracted
from docre.joint.finding import similarities
from docre.joint.thresholds import JointThresholds
from docre.joint.to_documents import to_document
from docre.joint_tuning.answers import Answers
from docre.joint_tuning.levels import coreference_steps, mention_steps, relation_steps
from docre.joint_tuning.steps import Steps
from docre.scoring.extraction import Annotation, Span

if TYPE_CHECKING:
    from docre.joint_model import JointModel
    from docre.opened_run import OpenedRun

Question = Callable[[Tensor, JointBatch], list[Any]]
"""Asks something of each document of a batch, from the states of its tokens."""


class DevSplit:
    """The development documents of a run, read as often as there are thresholds to be tuned.

    Args:
        opened: A run of a joint model.
        batch_size: Documents of a batch; that of the run outside of training if left out.

    Raises:
        DocreError: If the run has no development documents, or none with the labels it needs.
    """

    def __init__(self, opened: OpenedRun, batch_size: int | None = None) -> None:
        data = opened.data
        if "dev" not in data.files:
            raise DocreError("the run has no dev file to tune thresholds on")
        self.opened, self.batch_size = opened, batch_size
        self.model = cast("JointModel", opened.model)
        self.documents = {one.id: one for one in data.documents("dev")}
        labelled = any(one.relations is not None for one in self.documents.values())
        if self.model.network.relation is not None and not labelled:
            raise DocreError("the threshold of relations is tuned on labels: dev has none")

    @cached_property
    def _texts(self) -> dict[str, Document]:
        """The documents on the words that the model reads."""
        made = self.opened.data.examples.document
        return {name: made(one) for name, one in self.documents.items()}

    @cached_property
    def _answers(self) -> dict[str, Answers]:
        return {name: Answers.of(one, self._texts[name]) for name, one in self.documents.items()}

    def ask(self, *questions: Question) -> list[list[Any]]:
        """Read all documents once, and return what each question gave."""

        def reading(states: Any, batch: Any) -> list[list[Any]]:
            return [question(states, batch) for question in questions]

        answers: list[list[Any]] = [[] for _ in questions]
        for of_batch in self.opened.read("dev", reading, self.batch_size):
            for kept, new in zip(answers, of_batch, strict=True):
                kept += new
        return answers

    # the questions

    def found(self, thresholds: JointThresholds) -> Question:
        """Ask for documents with what is found in them."""

        def question(states: Tensor, batch: JointBatch) -> list[Document]:
            found = self._extract(states, batch, thresholds)
            return [self._document(*row) for row in zip(batch.document_ids, found, strict=True)]

        return question

    def mentions(self, states: Tensor, batch: JointBatch) -> list[Steps]:
        """Ask for what the threshold of mentions does."""
        every = self.model.network.mentions(states, batch, 0.0)
        sure = torch.split(every.probability, every.counts)
        columns = zip(every.of_documents(), sure, strict=True)
        return [
            mention_steps(answers.gold, answers.places(spans), of_spans)
            for answers, (spans, of_spans) in zip(self._of(batch), columns, strict=True)
        ]

    def coreference(self, thresholds: JointThresholds) -> Question:
        """Ask for what the threshold of coreference does, behind that of mentions."""

        def question(states: Tensor, batch: JointBatch) -> list[Steps]:
            network = self.model.network
            mentions = network.mentions(states, batch, thresholds.mention)
            alike = similarities(
                *(cast(Any, network.coreference), mentions, self.model.edit_distances(batch)),
                network.mention_pair_budget,
            )
            rows = zip(self._of(batch), mentions.of_documents(), alike, strict=True)
            return [
                coreference_steps(answers.gold, answers.places(spans), matrix)
                for answers, spans, matrix in rows
            ]

        return question

    def relations(self, thresholds: JointThresholds) -> Question:
        """Ask for what the threshold of relations does in labelled documents, behind all others.

        Args:
            thresholds: Those of the heads before, and the lowest one of relations that is looked
                at.
        """

        def question(states: Tensor, batch: JointBatch) -> list[Steps]:
            found = self._extract(states, batch, thresholds)
            rows = zip(batch.document_ids, self._of(batch), found, strict=True)
            return [
                relation_steps(answers.gold, self._entities(name, each), each, self.model.relations)
                for name, answers, each in rows
                if answers.gold.relations is not None
            ]

        return question

    # what they are made of

    def _of(self, batch: JointBatch) -> Iterator[Answers]:
        return (self._answers[name] for name in batch.document_ids)

    def _extract(
        self, states: Tensor, batch: JointBatch, thresholds: JointThresholds
    ) -> list[Extracted]:
        return self.model.network.extract(
            states, batch, self.model.edit_distances(batch), thresholds
        )

    def _document(self, name: str, found: Extracted) -> Document:
        return to_document(self._texts[name], found, self.model.types, self.model.relations)

    def _entities(self, name: str, found: Extracted) -> tuple[tuple[frozenset[Span], str], ...]:
        """Return the entities of a document in the places of its annotations."""
        none = found.head[:0]
        without = replace(found, head=none, tail=none, relation=none, relation_probability=none)
        alone = Annotation.of(self._document(name, without))
        return (alone.in_characters() if alone.text else alone).entities
