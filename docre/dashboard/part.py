"""The contract of a part of the dashboard: look at a validation, then show what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import lightning

from docre.dashboard.shown_documents import ShownDocuments

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter as EventWriter

    from docre.data.pieces import Pieces


class Hook(Protocol):
    """What watches something until it is removed, such as a hook of torch."""

    def remove(self) -> None:
        """Stop watching."""


@dataclass(frozen=True, eq=False)
class Board:
    """Where parts show what they saw, and what they may ask.

    Args:
        writer: Writes into the log folder of the run.
        trainer: The trainer.
        model: What is trained.
        step: Where Lightning logs the scores of this validation.
        examples: The documents of the development split, and the few of them that are shown.
        types: Names of the entity types.
        relations: Names of the relations.
        relation_names: What people call them.
        pieces: The tokenizer of the data.
    """

    writer: EventWriter
    trainer: lightning.Trainer
    model: Any
    step: int
    examples: ShownDocuments = field(default_factory=ShownDocuments)
    types: Sequence[str] = ()
    relations: Sequence[str] = ()
    relation_names: Mapping[str, str] = field(default_factory=dict)
    pieces: Pieces | None = None

    def scores(self) -> Any:
        """Return the scores of this validation, ``None`` where nothing is scored.

        They were gathered from all processes when they were logged, and are not gathered again.
        """
        score = getattr(self.model, "score", None)
        return None if score is None else score.scores()

    def relation_name(self, relation: str) -> str:
        """Return what people call a relation."""
        return self.relation_names.get(relation) or relation


class DashboardPart:
    """One thing on the dashboard. All of this happens in the first process of a training.

    What it sees is what validation computes anyway; it must not draw random numbers nor change
    anything of the model. What was seen is kept until the next validation, in bounded memory: the
    last one of a training may be drawn only when training has ended.
    """

    def begin(self, board: Board) -> None:
        """Show what is known before training."""

    def forget(self) -> None:
        """Forget what was seen, before a validation."""

    def watch(self, board: Board) -> list[Hook]:
        """Put hooks on modules for the time of a validation, and return what removes them."""
        return []

    def see(self, board: Board, batch: Any, output: Any) -> None:
        """Look at what the model makes of a batch of the development split."""

    def show(self, board: Board) -> None:
        """Show numbers, after each validation."""

    def draw(self, board: Board) -> None:
        """Show figures and texts, after some of them and after the last one."""

    def end(self, board: Board) -> None:
        """Show what is known after training."""
