"""Is a difference more than the choice of documents and seeds? Paired bootstrap over both.

Every run is scored on the same resamples of the documents. The score of a row is the mean over its
runs; where it has several, each resample also draws runs with replacement, the same seeds for two
rows that were trained with the same seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from docre.comparison.document_counts import Levels, flat_rates
from docre.scoring import Difference
from docre.scoring.predictions import Ints
from docre.scoring.rates import Floats

Draws = Mapping[str, Floats]

_CHUNK = 1000


def resampled_scores(runs: Sequence[Levels], samples: int, seed: int) -> list[dict[str, Floats]]:
    """Return the scores of each run on the same resamples of documents, each ``[samples]``.

    Args:
        runs: Counts of each run. Those of other documents or labels than the first one that has
            any have no scores here.
        samples: Number of resamples.
        seed: Equal seeds draw equal documents, those of :func:`docre.scoring.paired_bootstrap`.
    """
    drawn: list[dict[str, list[Floats]]] = [{} for _ in runs]
    for level in dict.fromkeys(name for run in runs for name in run):
        first = next(run[level] for run in runs if level in run)
        with_level = [
            (scores, run[level])
            for scores, run in zip(drawn, runs, strict=True)
            if level in run
            and run[level].documents == first.documents
            and np.array_equal(run[level].table[:, 0], first.table[:, 0])
        ]
        for weights in _weights(len(first.documents), samples, seed):
            for scores, counts in with_level:
                totals = counts.complete(weights @ counts.table)
                for name, values in flat_rates(level, counts, totals).items():
                    scores.setdefault(name, []).append(values)
    return [{name: np.concatenate(v) for name, v in scores.items()} for scores in drawn]


def mean_over_seeds(
    runs: Sequence[Floats], seeds: Sequence[int | None], samples: int, seed: int, number: int
) -> Floats:
    """Return the mean score of a row on every resample, ``[samples]``.

    Args:
        runs: Scores of each run on the same resamples of documents, each ``[samples]``.
        seeds: Seed of each run, in rising order.
        samples: Number of resamples.
        seed: Of the resamples.
        number: Number of the row; rows of unknown seeds draw for themselves.
    """
    if len(runs) == 1:
        return runs[0]
    known = [one for one in seeds if one is not None and one >= 0]
    # rows of the same seeds draw the same ones
    key = [1, *known] if len(known) == len(seeds) else [0, number]
    chosen = np.random.default_rng([seed, *key]).integers(len(runs), size=(len(runs), samples))
    means: Floats = np.take_along_axis(np.stack(runs), chosen, axis=0).mean(axis=0)
    return means


def difference(observed: float, first: Floats, second: Floats) -> Difference:
    """Return a difference with its interval and p-value, as ``paired_bootstrap`` does for two runs.

    Args:
        observed: Score of the first row minus score of the second.
        first: Scores of the first on the resamples.
        second: Scores of the second on the same ones.
    """
    values = first - second
    low, high = np.quantile(values, [0.025, 0.975])
    # rounding must not decide whether a resample equal to the observation counts
    far = np.abs(values - observed) >= abs(observed) - 1e-12
    p_value = (1 + int(far.sum())) / (1 + len(values))
    return Difference(observed, float(low), float(high), p_value)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values that hold for all comparisons together (Holm's step-down correction)."""
    corrected: dict[str, float] = {}
    least = 0.0
    for done, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - done) * p_values[name]))
        corrected[name] = least
    return corrected


def _weights(documents: int, samples: int, seed: int) -> Iterator[Ints]:
    """Yield how often each document is drawn, ``[samples, D]`` in chunks."""
    random = np.random.default_rng(seed)
    for start in range(0, samples, _CHUNK):
        size = min(_CHUNK, samples - start)
        yield random.multinomial(documents, np.full(documents, 1 / documents), size)
