"""What ``docre replay`` prints."""

from __future__ import annotations

from collections.abc import Iterator

from docre.replay.replaying import Replay, ReplayedBatch


def lines_of(found: Replay) -> Iterator[str]:
    """Yield what came out of a step, line by line."""
    yield f"{found.checkpoint}: step {found.step}"
    yield from (f"note: {note}" for note in found.notes)
    if found.bad_weights:
        yield f"not finite in the checkpoint already: {', '.join(found.bad_weights)}"
    for number, batch in enumerate(found.batches):
        yield f"batch {number} of {len(found.batches)}, rank {batch.rank}"
        yield from (f"  {line}" for line in _of_batch(batch))
    if not found.came_up:
        yield "everything was finite this time"


def _of_batch(batch: ReplayedBatch) -> Iterator[str]:
    yield f"documents: {', '.join(map(repr, batch.document_ids))}"
    before = "" if batch.kept_loss is None else f" (in training: {batch.kept_loss:.6g})"
    if batch.loss is None:
        yield f"loss: not run again{before}"
        return
    parts = ", its parts before their weights:" if batch.parts else ""
    yield f"loss: {batch.loss:.6g}{before}{parts}"
    for name, value in batch.parts.items():
        yield f"  {name}: {value:.6g}"
    if batch.bad_documents:
        yield f"scores are not finite in: {', '.join(map(repr, batch.bad_documents))}"
    yield f"first module whose output is not finite: {batch.module or 'none'}"
    yield f"first gradient that is not finite: {_gradient(batch)}"


def _gradient(batch: ReplayedBatch) -> str:
    if batch.parameter is None and not batch.gradient_is_finite:
        return "none, but all together are too large for a number"
    return batch.parameter or "none"
