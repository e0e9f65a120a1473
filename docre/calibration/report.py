"""What calibration changed: a table and a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from docre.calibration.base import Calibration, FloatArray
from docre.calibration.fitting import Method, fit
from docre.calibration.judged import Fold, Judged
from docre.calibration.measures import Measures, measure, reliability
from docre.calibration.temperature import TemperatureCalibration
from docre.errors import DocreError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """Predicted triples with what is said of each by a curve that was fitted to other documents.

    Args:
        before: The logistic function of their margins.  # [N]
        after: Calibrated probabilities.  # [N]
        correct: 1 for those that are right.  # [N]
    """

    before: FloatArray
    after: FloatArray
    correct: FloatArray

    @property
    def measures(self) -> dict[str, Measures]:
        """What both are worth."""
        return {
            "before": measure(self.before, self.correct),
            "after": measure(self.after, self.correct),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        return {
            "predicted": len(self.correct),
            "correct": int(self.correct.sum()),
            **{name: asdict(found) for name, found in self.measures.items()},
        }


def cross_fit(method: Method, folds: tuple[Fold, Fold]) -> CrossFit:
    """Fit to either fold, and judge what is predicted in the other.

    Args:
        method: What is fitted.
        folds: Two halves of the documents.

    Raises:
        DocreError: If there is nothing to fit to, or nothing is predicted.
    """
    parts = []
    for ours, other in (folds, folds[::-1]):
        found = ours.predicted
        before = TemperatureCalibration().probability(found.margins)
        after = fit_fold(method, other).probability(found.margins)
        # each margin as often as there are triples with it, the right ones first
        counts = np.rint(found.weights).astype(np.int64)
        right = np.rint(found.weights * found.correct).astype(np.int64)
        correct = np.repeat(np.tile([1.0, 0.0], len(counts)), _split(counts, right))
        parts.append(np.stack([np.repeat(before, counts), np.repeat(after, counts), correct]))
    whole = np.concatenate(parts, axis=1)  # [3, N]
    if not whole.shape[1]:
        raise DocreError("nothing is predicted for the dev documents: there is nothing to judge")
    return CrossFit(*whole)


def fit_fold(method: Method, fold: Fold) -> Calibration:
    """Fit to some documents.

    A curve may look at all that could have been predicted, which is most of what it can learn from
    near the threshold. One temperature for all of it would be that of the countless cells far
    below, so it looks at what is predicted alone.
    """
    seen: Judged = fold.predicted if method == "temperature" else fold.cells
    return fit(method, seen.margins, seen.correct, seen.weights)


def table_of(found: CrossFit) -> Table:
    """Return the measures before and after."""
    from rich.table import Table

    table = Table()
    for name in ("probabilities", "ECE", "Brier", "NLL"):
        table.add_column(name, justify="left" if name == "probabilities" else "right")
    for name, each in found.measures.items():
        table.add_row(name, *(f"{value:.4f}" for value in (each.ece, each.brier, each.nll)))
    return table


def reliability_plot(found: CrossFit) -> Figure:
    """Return a picture: how often triples of a probability are right, before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for place, (name, said) in zip(
        axes, (("before", found.before), ("after", found.after)), strict=True
    ):
        _draw(place, f"{name}: ECE {found.measures[name].ece:.3f}", said, found.correct)
    axes[0].set_ylabel("share that is right")
    return figure


def _draw(axes: Axes, title: str, said: FloatArray, correct: FloatArray) -> None:
    bins = reliability(said, correct, _BINS)
    left = np.arange(_BINS) / _BINS
    axes.bar(left, bins.right, 1 / _BINS, align="edge", color="#7aa6c2", edgecolor="white")
    filled = bins.triples > 0
    axes.plot(bins.said[filled], bins.right[filled], "o-", color="#22485f", markersize=4)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    for place, count in zip(left[filled], bins.triples[filled], strict=True):
        axes.annotate(
            f"{int(count):,}", (place + 0.5 / _BINS, 0.01), ha="center", fontsize=6, rotation=90
        )
    axes.set(title=title, xlabel="probability", xlim=(0, 1), ylim=(0, 1))


def _split(counts: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return, one behind the other, how many of each margin are right and how many are not."""
    return np.stack([right, counts - right], axis=1).ravel()
