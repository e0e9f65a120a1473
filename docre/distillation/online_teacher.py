"""A teacher that reads each batch beside the student."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from docre.batch import Batch
from docre.data.cache import file_hash
from docre.distillation.teacher import Teacher
from docre.errors import DocreError
from docre.outputs import AttentionMaps, HeadOutput, TeacherTargets
from docre.parent import best_checkpoint, read_checkpoint

if TYPE_CHECKING:
    from docre.model import DocREModel


class OnlineTeacher(Teacher):
    """Runs a trained model over each batch of the student.

    The model is no part of the student: it is in none of its checkpoints, no optimizer moves it and
    no rank sends it. It is in evaluation mode, without gradients, and computes in the student's
    precision.

    Args:
        run: Run of ``docre fit``, or a checkpoint of one; the best checkpoint is taken. Student and
            teacher must have the same tokenizer.
        logits: Give the logits of all columns.
        attention: Give where contexts come from.
        allow: Packages beside docre that classes of the run may be from.

    Raises:
        DocreError: If it is to give neither.
    """

    def __init__(
        self,
        run: str,
        logits: bool = True,
        attention: bool = True,
        allow: Sequence[str] = (),
    ) -> None:
        if not (logits or attention):
            raise DocreError("model.teacher: set logits or attention, or it teaches nothing")
        self.run: Path | None = Path(run)
        self.logits, self.attention, self.allow = logits, attention, tuple(allow)
        self._model: DocREModel | None = None
        self._checked = False

    @classmethod
    def of(cls, model: DocREModel, logits: bool = True, attention: bool = True) -> OnlineTeacher:
        """Return a teacher of a model that is there; it is changed to one that is not trained."""
        made = cls("", logits, attention)
        made.run, made._model = None, model.requires_grad_(False).eval()
        return made

    @property
    def model(self) -> DocREModel:
        """The teaching model, loaded when it is first asked for."""
        if self._model is None:
            self._model = _load(cast(Path, self.run), self.allow).requires_grad_(False).eval()
        return self._model

    @property
    def _name(self) -> str:
        return "the model" if self.run is None else str(self.run)

    def prepare(
        self,
        relations: Sequence[str],
        tokenizer: str | None = None,
        features: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the model and check that it goes with the student.

        Raises:
            DocreError: If it cannot be loaded, knows other relations, has another tokenizer or was
                trained on documents that became tokens in another way.
        """
        ours = self.model.relations
        if ours != tuple(relations):
            raise DocreError(
                f"model.teacher: {self._name} knows {len(ours)} relations, the data "
                f"{len(relations)}, or they are in another order"
            )
        if tokenizer is not None and tokenizer != self.model.tokenizer_name:
            raise DocreError(
                f"model.teacher: {self._name} reads with the tokenizer "
                f"{self.model.tokenizer_name}, the data are cut with {tokenizer}; a teacher that "
                "runs beside its student needs the same"
            )
        for key, theirs in _features(self.run).items():
            if features is not None and features.get(key, theirs) != theirs:
                raise DocreError(
                    f"data.features.{key}: {features[key]}, but the teacher {self._name} was "
                    f"trained with {theirs}; a teacher that runs beside its student reads its "
                    "batches"
                )

    def targets(self, batch: Batch) -> TeacherTargets:
        """Return what the model makes of the batch.

        Raises:
            DocreError: If it does not know a token, or says not where its contexts come from.
        """
        if not self._checked:
            self._check_tokens(batch)
        if self.model.device != batch.device:
            self.model.to(batch.device)
        with torch.no_grad():
            output: HeadOutput = self.model(batch)
        logits = output.logits.float() if self.logits else None
        return TeacherTargets(logits, attention=self._attention(output) if self.attention else None)

    def describe(self) -> dict[str, Any]:
        """Return the checkpoint, if there is one, and what it gives."""
        gives = {"logits": self.logits, "attention": self.attention}
        if self.run is None:
            return {"kind": type(self).__name__, **gives}
        source = best_checkpoint(self.run)
        known = {"file": str(source), "xxh3_128": file_hash(source)}
        return {"kind": type(self).__name__, **known, **gives}

    def _attention(self, output: HeadOutput) -> AttentionMaps:
        found = None if output.context is None else output.context.attention
        if found is None:
            raise DocreError(
                f"model.teacher: the head of {self._name} does not say where its contexts come "
                "from; set attention to false"
            )
        return found

    def _check_tokens(self, batch: Batch) -> None:
        # once, for it makes the host wait
        known = getattr(self.model.encoder, "vocab_size", None)
        if known is not None and int(batch.input_ids.max()) >= known:
            raise DocreError(
                f"model.teacher: {self._name} knows {known} tokens, the batch has others: student "
                "and teacher need the same tokenizer"
            )
        self._checked = True


def _features(run: Path | None) -> dict[str, Any]:
    """Return how the documents of a run became tokens; nothing if it is a checkpoint alone."""
    if run is None:
        return {}
    folder = run if run.is_dir() else run.parent.parent
    try:
        known: dict[str, Any] = json.loads((folder / "run.json").read_bytes())["features"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    if known.get("truncation") == "window":
        known.pop("max_tokens", None)  # has no say there
    return known


def _load(run: Path, allow: Sequence[str]) -> DocREModel:
    from docre.model import DocREModel

    source = best_checkpoint(run)
    try:
        read_checkpoint(source, mmap=True)
    except DocreError as error:
        raise DocreError(f"model.teacher: {error}") from error
    try:
        # weights are drawn before they are loaded: what the student draws must not change with it;
        # on the CPU, wherever the student is made
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            return DocREModel.load_from_checkpoint(source, map_location="cpu", allow=allow)
    except (DocreError, RuntimeError) as error:
        raise DocreError(
            f"model.teacher: {source} cannot be made a model again; a model that was put together "
            f"in Python is given as OnlineTeacher.of(model). {error}"
        ) from error
