"""What a run says of its development documents, and whether it is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from docre.calibration.base import FloatArray
from docre.calibration.fitting import compress
from docre.errors import DocreError

if TYPE_CHECKING:
    from docre.opened_run import OpenedRun

# Margins are told apart in steps of this: millions of cells become some ten thousand.
_STEP = 1 / 1024
# Probabilities of a joint model are this far from 0 and 1 at least: their logits are finite.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Triples by their margins.

    Args:
        margins: How far scores are above their thresholds, in logits.  # [N]
        correct: Share of the triples behind each margin that is right.  # [N]
        weights: How many they are.  # [N]
    """

    margins: FloatArray
    correct: FloatArray
    weights: FloatArray

    @classmethod
    def joined(cls, parts: Iterable[Judged]) -> Judged:
        """Put triples together, each margin once."""
        each = [cls(*(np.zeros(0) for _ in range(3))), *parts]
        names = ("margins", "correct", "weights")
        return cls(*compress(*(np.concatenate([getattr(p, n) for p in each]) for n in names)))

    def __len__(self) -> int:
        return int(self.weights.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """What is known of some documents.

    Args:
        cells: All that could have been predicted, to fit to.
        predicted: What is predicted, to be judged by.
    """

    cells: Judged
    predicted: Judged

    @classmethod
    def joined(cls, parts: Iterable[Fold]) -> Fold:
        """Put documents together."""
        each = list(parts)
        return cls(
            Judged.joined(one.cells for one in each), Judged.joined(one.predicted for one in each)
        )


def probability_margins(probability: ArrayLike, threshold: float) -> FloatArray:
    """Return how far probabilities of a joint model are above its threshold, in logits.

    Example:
        >>> probability_margins([0.5, 0.9], 0.5).round(3).tolist()
        [0.0, 2.197]
    """
    both = np.append(np.asarray(probability, dtype=np.float64), threshold)
    both = np.clip(both, _LEAST, 1 - _LEAST)
    logits = np.log(both) - np.log1p(-both)
    return np.asarray(logits[:-1] - logits[-1])


def judge(opened: OpenedRun, batch_size: int | None = None) -> tuple[Fold, Fold]:
    """Read the development documents, and return every other one in one of two folds.

    Of a pair model every relation of every pair is looked at, of a joint model what it extracts.

    Args:
        opened: A run.
        batch_size: Documents of a batch; that of the run outside of training if left out.

    Raises:
        DocreError: If there are no labelled development documents, or nothing predicts relations.
    """
    from docre.joint_model import JointModel

    if "dev" not in opened.data.files:
        raise DocreError("the run has no dev file to calibrate on")
    joint = isinstance(opened.model, JointModel)
    read = _of_joint(opened, batch_size) if joint else _of_pairs(opened, batch_size)
    documents = list(read)
    if not documents:
        raise DocreError("none of the dev documents is labelled: there is nothing to calibrate on")
    return Fold.joined(documents[::2]), Fold.joined(documents[1::2])


def _of_pairs(opened: OpenedRun, batch_size: int | None) -> Iterator[Fold]:
    """Yield a fold for each labelled document."""
    model = opened.model

    def reading(output: Any, batch: Any) -> list[Fold]:
        logits = output.logits.float()
        margins = logits[:, 1:] - model.decoder.threshold(logits)[:, None]  # [P, R]
        columns = (margins, model.decoder.mask(logits), batch.labels(len(model.relations))[:, 1:])
        margin, predicted, correct = (column.cpu().numpy() for column in columns)
        border = batch.pair_offset.tolist()
        return [
            _fold(margin[a:b].ravel(), correct[a:b].ravel(), predicted[a:b].ravel())
            for a, b, known in zip(border, border[1:], batch.labelled.tolist(), strict=False)
            if known
        ]

    for of_batch in opened.read("dev", reading, batch_size):
        yield from of_batch


def _fold(margins: NDArray[Any], correct: NDArray[Any], predicted: NDArray[Any]) -> Fold:
    margins = margins.astype(np.float64)
    ones = np.ones_like(margins)
    finite = np.isfinite(margins)
    rounded = np.round(np.where(finite, margins, 0) / _STEP) * _STEP
    cells = compress(rounded[finite], correct[finite], ones[finite])
    shown = finite & predicted
    return Fold(Judged(*cells), Judged(margins[shown], correct[shown], ones[shown]))


def _of_joint(opened: OpenedRun, batch_size: int | None) -> Iterator[Fold]:
    """Yield a fold for each labelled document; right is what is right in the strict sense.

    Relations below the threshold are looked at too, as far down as thresholds are tuned.
    """
    from docre.joint_tuning.dev_split import DevSplit
    from docre.joint_tuning.steps import at_least
    from docre.joint_tuning.tune import LEAST_RELATION

    model = opened.model
    if model.network.relation is None:
        raise DocreError("the model has no relation head, so there is nothing to calibrate")
    dev, threshold = DevSplit(opened, batch_size), model.thresholds.relation
    lowest = replace(model.thresholds, relation=min(LEAST_RELATION, threshold))
    (steps,) = dev.ask(dev.relations(lowest))
    for one in steps:
        margins = probability_margins(one.probability, threshold)
        yield _fold(margins, one.correct, at_least(one.probability, threshold))
