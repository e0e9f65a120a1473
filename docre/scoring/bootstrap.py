"""How far a score could move with other documents: resampling documents with replacement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from docre.scoring.predictions import Ints
from docre.scoring.rates import Floats

# resamples drawn at once, so that memory does not grow with their number
_CHUNK = 1000


class Counted(Protocol):
    """Counts by document, and the scores that are made of them."""

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids of the scored documents, ``[D]``."""

    @property
    def table(self) -> Ints:
        """The counts, ``[D, C]``; the first column counts the gold."""

    def totals(self) -> Ints:
        """Return the counts of all documents together, ``[C]``."""

    def complete(self, totals: Ints) -> Ints:
        """Add to sums over documents, ``[..., C]``, what belongs to none of them."""

    def rates(self, totals: Ints) -> dict[str, Floats]:
        """Return every score for totals of shape ``[..., C]``, each ``[...]``."""


class Difference(NamedTuple):
    """Difference of two systems in one score.

    Args:
        difference: Score of the first minus score of the second.
        low: Lower end of its confidence interval.
        high: Upper end.
        p_value: How often documents alone make a difference at least that large (two-sided).
    """

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap(
    counts: Counted, samples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Return a percentile confidence interval for every overall score.

    Args:
        counts: Counts by document.
        samples: Number of resamples.
        seed: Equal seeds give equal intervals.
        confidence: Share of the resamples inside the interval.
    """
    tail = (1 - confidence) / 2
    values = [
        counts.rates(counts.complete(w @ counts.table)) for w in _weights(counts, samples, seed)
    ]
    intervals = {}
    for name in values[0]:
        low, high = np.quantile(np.concatenate([v[name] for v in values]), [tail, 1 - tail])
        intervals[name] = float(low), float(high)
    return intervals


def paired_bootstrap(
    first: Counted,
    second: Counted,
    samples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Difference]:
    """Compare two systems on the same resamples of the same documents.

    The p-value is the share of resamples whose difference lies at least as far from the observed
    one as that lies from 0, counting the observation itself, so it is never 0.

    Raises:
        ValueError: If the two were not scored on the same documents and labels.
    """
    if first.documents != second.documents or (first.table[:, 0] != second.table[:, 0]).any():
        raise ValueError("the two systems were not scored on the same documents and labels")
    observed = _differences(first, second, first.totals(), second.totals())
    tail = (1 - confidence) / 2
    drawn: dict[str, list[Floats]] = {name: [] for name in observed}
    for weights in _weights(first, samples, seed):
        totals = first.complete(weights @ first.table), second.complete(weights @ second.table)
        for name, values in _differences(first, second, *totals).items():
            drawn[name].append(values)
    result = {}
    for name, difference in observed.items():
        values = np.concatenate(drawn[name])
        low, high = np.quantile(values, [tail, 1 - tail])
        # rounding must not decide whether a resample equal to the observation counts
        far = np.abs(values - difference) >= np.abs(difference) - 1e-12
        p_value = (1 + int(far.sum())) / (1 + samples)
        result[name] = Difference(float(difference), float(low), float(high), p_value)
    return result


def _differences(
    first: Counted, second: Counted, first_totals: Ints, second_totals: Ints
) -> dict[str, Floats]:
    mine, other = first.rates(first_totals), second.rates(second_totals)
    return {name: mine[name] - other[name] for name in mine if name in other}


def _weights(counts: Counted, samples: int, seed: int) -> Iterator[Ints]:
    """Yield how often each document is drawn, ``[samples, D]`` in chunks."""
    if samples < 1:
        raise ValueError(f"samples must be at least 1, not {samples}")
    size = len(counts.documents)
    if not size:
        raise ValueError("no documents to resample")
    random = np.random.default_rng(seed)
    for start in range(0, samples, _CHUNK):
        yield random.multinomial(size, np.full(size, 1 / size), min(_CHUNK, samples - start))
