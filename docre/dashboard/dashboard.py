"""The dashboard: one callback that shows a training in TensorBoard."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import lightning
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from docre.callbacks.run_folder import run_folder
from docre.dashboard.attended_words import AttendedWords
from docre.dashboard.drawing_times import is_due
from docre.dashboard.example_extractions import ExampleExtractions
from docre.dashboard.example_predictions import ExamplePredictions
from docre.dashboard.hparams_tab import HparamsTab, add_test_scores
from docre.dashboard.memory_map import MemoryMap
from docre.dashboard.memory_slots import MemorySlots
from docre.dashboard.part import Board, DashboardPart, Hook
from docre.dashboard.precision_recall import PrecisionRecall
from docre.dashboard.relation_scores import RelationScores
from docre.dashboard.scalar_layout import ScalarLayout
from docre.dashboard.shown_documents import ShownDocuments
from docre.data.modules.base import DocREDataModule

_log = logging.getLogger(__name__)
# Where checkpoints keep what a training that goes on has to know.
_KEY = "docre_dashboard"


class Dashboard(lightning.Callback):
    """Shows settings, scores, memories and examples of a training.

    Everything is taken from what validation computes anyway; nothing is computed in training, no
    random number is drawn, so weights come out the same with and without it. Nothing happens where
    there is no TensorBoard logger, in a fast dev run, and in other processes than the first.

    Of several in a trainer only the first does anything: one among the callbacks of a
    configuration takes the place of the one that ``docre fit`` brings.

    Args:
        hparams: Settings and final scores on the HPARAMS tab.
        layout: Charts on the Custom Scalars tab.
        curves: Precision against recall on the PR Curves tab.
        relations: Scores of each relation, as a table and as bars.
        memory: What the slots of memories are read for, and where they lie among head entities.
        attention: Where the contexts of a few pairs come from.
        examples: Documents whose predictions are written out; 0 for none, nor any attention.
        drawings: How often figures and texts are made: at the first validation, at the last one
            however training ends, and evenly between; 1 for the last alone, 0 for never. Numbers
            are logged after each validation.
        parts: More to show, made by whoever uses this.

    Attributes:
        parts: All that it shows.
    """

    def __init__(
        self,
        hparams: bool = True,
        layout: bool = True,
        curves: bool = True,
        relations: bool = True,
        memory: bool = True,
        attention: bool = True,
        examples: int = 3,
        drawings: int = 4,
        parts: list[DashboardPart] | None = None,
    ) -> None:
        self.examples, self.drawings = examples, drawings
        self._tab = HparamsTab() if hparams else None
        wanted: list[tuple[bool, Callable[[], DashboardPart]]] = [
            (layout, ScalarLayout),
            (curves, PrecisionRecall),
            (relations, RelationScores),
            (memory, MemorySlots),
            (memory, MemoryMap),
            (examples > 0, ExamplePredictions),
            (examples > 0, ExampleExtractions),
            (attention and examples > 0, AttendedWords),
        ]
        self.parts: list[DashboardPart] = [] if self._tab is None else [self._tab]
        self.parts += [make() for is_wanted, make in wanted if is_wanted]
        self.parts += parts or []
        self._is_on = True
        self._drawn = 0  # updates at the last drawing
        self._board: Board | None = None  # while a validation runs
        self._undrawn: Board | None = None  # of a validation that was shown, but not drawn
        self._hooks: list[Hook] = []
        self._broken: list[DashboardPart] = []

    def setup(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Begin anew, before a checkpoint is loaded; leave everything to an earlier dashboard."""
        boards = [one for one in cast(Any, trainer).callbacks if isinstance(one, Dashboard)]
        self._is_on = boards[0] is self
        self._drawn, self._board, self._undrawn = 0, None, None
        self._broken.clear()
        if self._tab is not None:
            self._tab.best = None

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Show what is known before training."""
        board = self._make_board(trainer, pl_module)
        if board is not None:
            self._each("begin", board)

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin to look at what the model makes of the development split."""
        self._board, self._undrawn = self._make_board(trainer, pl_module), None
        if self._board is not None:
            self._each("forget")
            for hooks in self._each("watch", self._board):
                self._hooks += hooks
            self._hooks.append(pl_module.register_forward_hook(self._see))

    def _see(self, _: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        assert self._board is not None
        self._board.examples.see(getattr(given[0], "document_ids", ()))
        self._each("see", self._board, given[0], output)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Show what was seen."""
        self._unhook()
        self._undrawn, self._board = self._board, None
        if self._undrawn is not None:
            self._each("show", self._undrawn)
            total = trainer.estimated_stepping_batches
            if is_due(trainer.global_step, total, self.drawings, self._drawn):
                self._draw(trainer)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Show what is known after training."""
        self._draw(trainer)
        board = self._make_board(trainer, pl_module)
        if board is not None:
            self._each("end", board)

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Say that training did not come to its end; Ctrl-C comes here, too."""
        self._board = None
        self._unhook()
        self._draw(trainer)
        if self._tab is not None:
            self._tab.close("failure")

    def on_test_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the scores of ``docre test`` to those of the training."""
        folder = run_folder(trainer)
        is_wanted = self._is_on and self._tab is not None and trainer.is_global_zero
        if is_wanted and folder is not None:
            add_test_scores(folder, trainer.callback_metrics)

    # Not state_dict(): Lightning takes no two callbacks of a class that have one.

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Keep the best score and the time of the last drawing, for a training that goes on."""
        if self._is_on:
            best = None if self._tab is None else self._tab.best
            checkpoint[_KEY] = {"best": best, "drawn": self._drawn}

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Take over the best score and the time of the last drawing."""
        known = checkpoint.get(_KEY, {})
        self._drawn = known.get("drawn", 0)
        if self._tab is not None:
            self._tab.best = known.get("best")

    def _make_board(
        self, trainer: lightning.Trainer, model: lightning.LightningModule
    ) -> Board | None:
        return make_board(trainer, model, self.examples) if self._is_on else None

    def _draw(self, trainer: lightning.Trainer) -> None:
        board, self._undrawn = self._undrawn, None
        if board is not None and self.drawings > 0:
            self._each("draw", board)
            self._drawn = trainer.global_step

    def _each(self, what: str, *given: Any) -> list[Any]:
        """Have every part do something; one that fails is left out from there on.

        A training of many hours is not to end because a picture cannot be drawn.
        """
        answers = []
        for part in self.parts:
            if part in self._broken:
                continue
            try:
                answers.append(getattr(part, what)(*given))
            except Exception:
                self._broken.append(part)
                name = type(part).__name__
                _log.warning("the dashboard goes on without its %s", name, exc_info=True)
        return answers

    def _unhook(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def make_board(
    trainer: lightning.Trainer, model: lightning.LightningModule, examples: int
) -> Board | None:
    """Return where to show a training, ``None`` where nothing is to be shown.

    Args:
        trainer: The trainer.
        model: What is trained.
        examples: How many documents to show.
    """
    loggers = [one for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
    fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
    if not (loggers and fitting and trainer.is_global_zero) or cast(Any, trainer).fast_dev_run:
        return None
    data = getattr(trainer, "datamodule", None)
    known: dict[str, Any] = {}
    if isinstance(data, DocREDataModule):
        documents = data.documents("dev") if "dev" in data.files else []
        known = {
            "examples": ShownDocuments(documents, examples),
            "relation_names": data.relations.descriptions,
            "pieces": data.pieces,
        }
    return Board(
        loggers[0].experiment,
        trainer,
        model,
        # where Lightning logs the scores; global_step is one further by then
        trainer.fit_loop.epoch_loop._batches_that_stepped,
        types=getattr(model, "types", ()),
        relations=getattr(model, "relations", ()),
        **known,
    )
