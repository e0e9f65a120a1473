"""A step that was kept, run again: which document, which module, which gradient."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from docre.base_model import DocumentModel
from docre.batch import Batch
from docre.errors import DocreError
from docre.parent import read_checkpoint
from docre.random_state import set_random_states
from docre.replay.kept_steps import KeptBatch, KeptRank, kept_checkpoint, read_ranks
from docre.replay.rebuilding import load, rebuild, without_taught
from docre.replay.watching import FiniteWatch, is_finite

_AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
_TRUE = {"16-true": torch.float16, "bf16-true": torch.bfloat16, "64-true": torch.float64}


@dataclass(frozen=True)
class ReplayedBatch:
    """What came out of a batch this time.

    Args:
        rank: Process that had it.
        document_ids: Of its documents.
        loss: Its loss; ``None`` where it could not be run again.
        kept_loss: What was kept of the time before.
        parts: The terms of the loss.
        module: First module whose output is not finite.
        parameter: First parameter whose gradient is not finite.
        gradient_is_finite: Whether the length of the gradient is a number.
        bad_documents: Documents with a pair whose scores are not finite, where pairs are scored.
    """

    rank: int
    document_ids: tuple[str, ...]
    loss: float | None
    kept_loss: float | None
    parts: Mapping[str, float]
    module: str | None = None
    parameter: str | None = None
    gradient_is_finite: bool = True
    bad_documents: tuple[str, ...] = ()

    @property
    def is_finite(self) -> bool:
        """Whether loss and gradient are finite."""
        return (self.loss is None or math.isfinite(self.loss)) and self.gradient_is_finite


@dataclass(frozen=True)
class Replay:
    """What came out of a step this time.

    Args:
        checkpoint: The weights it began from.
        step: Updates before it.
        batches: Those of all processes.
        bad_weights: Names of parameters and buffers that are not finite in the checkpoint.
        notes: What is not as it was in the training.
    """

    checkpoint: Path
    step: int
    batches: tuple[ReplayedBatch, ...]
    bad_weights: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def came_up(self) -> bool:
        """Whether a loss or a gradient is not finite again."""
        return any(not one.is_finite for one in self.batches)


def replay(
    path: str | Path,
    model: DocumentModel | None = None,
    *,
    device: str | torch.device = "cpu",
    allow: Sequence[str] = (),
) -> Replay:
    """Run a step again that :class:`docre.callbacks.FiniteLoss` has kept.

    Each batch runs by itself, in training mode, from the random numbers it had, in the precision of
    its training.

    Args:
        path: ``step_N.ckpt``, or a run folder for the last step it has kept.
        model: Made as in the training, for models that were put together in Python; left out, the
            checkpoint says how it is made.
        device: Where to run it.
        allow: Packages beside docre that the model's classes may be from.

    Raises:
        DocreError: If there is no such step, or its model cannot be made.
    """
    checkpoint = kept_checkpoint(Path(path))
    ranks = read_ranks(checkpoint)
    known = read_checkpoint(checkpoint)
    try:
        if model is None:
            model = rebuild(known, allow)
        else:
            load(model, known)
    except DocreError as error:
        raise DocreError(f"{checkpoint}: {error}") from error
    where = torch.device(device)
    notes = [*_taught(model, known), *_notes(ranks, where)]
    bad = tuple(name for name, value in model.state_dict().items() if not is_finite(value))
    kind = _TRUE.get(ranks[0].precision)
    model = model.to(where) if kind is None else model.to(where, kind)
    for name, value in model.named_parameters():
        value.requires_grad_(name not in ranks[0].frozen)
    batches = [_run(model, rank, one, where) for rank in ranks for one in rank.batches]
    return Replay(checkpoint, ranks[0].step, tuple(batches), bad, tuple(notes))


def _run(
    model: DocumentModel, rank: KeptRank, kept: KeptBatch, device: torch.device
) -> ReplayedBatch:
    if kept.batch is None:
        return ReplayedBatch(rank.rank, kept.document_ids, None, kept.loss, {})
    model.train().zero_grad()
    with FiniteWatch(model) as watch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*`self\.log\(\)`")  # there is no trainer
        set_random_states(kept.random, device)
        with _autocast(rank.precision, device):
            loss = model.training_step(kept.batch.to(device), 0)
        assert isinstance(loss, torch.Tensor)
        loss.backward()  # type: ignore[no-untyped-call]
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    return ReplayedBatch(
        rank.rank,
        kept.document_ids,
        float(loss.detach()),
        kept.loss,
        {} if watch.parts is None else {n: float(v) for n, v in watch.parts.scalars().items()},
        watch.module,
        watch.parameter,
        is_finite(nn.utils.get_total_norm(grads)),
        _bad_documents(kept.batch, watch),
    )


def _bad_documents(batch: Any, watch: FiniteWatch) -> tuple[str, ...]:
    if watch.bad_pairs is None or not isinstance(batch, Batch):
        return ()
    rows = set(batch.pair_doc[watch.bad_pairs.cpu()].tolist())
    return tuple(batch.document_ids[row] for row in sorted(rows))


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    kind = _AUTOCAST.get(precision)
    return nullcontext() if kind is None else torch.autocast(device.type, kind)


def _taught(model: DocumentModel, known: Mapping[str, Any]) -> list[str]:
    """Say what is left out for want of a teacher, or make ready the one that was given."""
    teacher = getattr(model, "teacher", None)
    if teacher is not None:
        teacher.prepare(model.relations, model.tokenizer_name)
        return []
    left_out = without_taught(model)
    if not left_out:
        return []
    return [
        f"a teacher is in no checkpoint: what it teaches ({', '.join(left_out)}) is left out here; "
        "docre.replay.replay(CHECKPOINT, model) takes a model with its teacher"
    ]


def _notes(ranks: Sequence[KeptRank], device: torch.device) -> list[str]:
    notes = []
    if ranks[0].device != device.type:
        notes.append(
            f"the training was on {ranks[0].device}, this is on {device.type}: dropout draws "
            "other numbers"
        )
    if len(ranks) > 1:
        notes.append(
            f"each batch is run by itself: losses are not means over the {len(ranks)} processes"
        )
    if any(one.batch is None for rank in ranks for one in rank.batches):
        notes.append("batches of a data module that is none of docre's are not kept, nor run")
    return notes
